"""Bodies: what a schema allows, with real ids, and then wrong in one or some places."""

import json
import random
import re

from tests.hostile import words

_MARKS = {words.NESTED: "[" * 1000 + "]" * 1000, words.HUGE: "1" * 400, words.NAN: "NaN", words.INFINITE: "1e400"}
_FORMATS = {"uuid": "00000000-0000-4000-8000-000000000000", "date-time": "2026-01-01T00:00:00Z", "ip-address": "10.0.0.9",
    "ipv4": "10.0.0.9",
            "ipv6": "fd00::9", "ip-network": "10.9.0.0/24", "ip-prefix": "10.9.0.1/24", "mac-address": "fa:16:3e:00:00:09",
            "host-name": "host-9", "name": "name", "line": "line", "identifier": "0123456789abcdef0123456789abcdef"}
# By the name of a field: what is allowed by its type, and also likely to go on to the next check.
_USUAL = {"cidr": "10.77.0.0/24", "ip_version": 4, "protocol": "tcp", "direction": "ingress", "ethertype": "IPv4",
    "remote_ip_prefix": "10.0.0.0/8",
          "public_key": None, "enabled": True, "interface": "public", "url": "http://127.0.0.1/", "flavorRef": "42",
          "networks": "none",
          "disk_format": "raw", "container_format": "bare", "password": "secret", "nexthop": "10.0.0.9",
          "destination": "10.8.0.0/24",
          "remote_id": "x", "policy": "affinity", "policies": ["affinity"], "methods": ["password"], "prefixes": ["10.70.0.0/16"]}


def sample(schema, rng: random.Random, ids, name: str = "", depth: int = 0):
    """A value that a schema allows. ``ids(name)``: an id of something real that a field of that name may mean, or None."""
    if not isinstance(schema, dict) or depth > 12:
        return rng.choice(words.TEXTS)
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return sample(rng.choice(schema[key]), rng, ids, name, depth + 1)
    if "const" in schema or "enum" in schema:
        return rng.choice(schema["enum"]) if "enum" in schema else schema["const"]
    kinds = schema.get("type", "object" if "properties" in schema else "string")
    kind = rng.choice(kinds) if isinstance(kinds, list) else kinds
    if kind == "object":
        return _object(schema, rng, ids, depth)
    if kind == "array":
        few = min(schema.get("maxItems", 2), 2)
        return [sample(schema.get("items", {}), rng, ids, name.removesuffix("s"), depth + 1)
                for _ in range(rng.randint(min(schema.get("minItems", 0), few), few))]
    if kind in ("integer", "number"):
        low = schema.get("minimum", 0)
        return rng.choice((low, low + 1, schema.get("maximum", 100)))
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "null":
        return None
    return _text(schema, rng, ids, name)


def _text(schema: dict, rng: random.Random, ids, name: str):
    real = ids(name)
    if real is not None and rng.random() < 0.9:
        return real
    if _USUAL.get(name) is not None:
        return _USUAL[name]
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    longest = schema.get("maxLength", 40)
    return (f"{name or 'x'}-{rng.randrange(10000)}" if "name" in name else "abc")[:max(longest, schema.get("minLength", 0))]


def _object(schema: dict, rng: random.Random, ids, depth: int) -> dict:
    properties = schema.get("properties", {})
    chance = rng.choice((0.05, 0.2, 0.5, 1.0)) if depth else 1.0 if len(properties) < 2 else 0.2
    wanted = [n for n in properties if n in schema.get("required", ()) or rng.random() < chance]
    if not wanted and properties and not depth:  # an action: one of many names
        wanted = [rng.choice(list(properties))]
    found = {n: sample(properties[n], rng, ids, n, depth + 1) for n in wanted}
    more = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]
    if isinstance(more[-1] if not more[0] else more[0], dict) and rng.random() < 0.7:
        found["key"] = sample(more[0] or more[-1], rng, ids, "key", depth + 1)
    return found


def _places(document, found: list, where=()):
    found.append(where)
    for key, child in (document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document,
    list) else ()):
        _places(child, found, (*where, key))


def mutated(document, rng: random.Random):
    """The document with one to three things wrong."""
    document = json.loads(json.dumps(document))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places: list[tuple] = []
        _places(document, places)
        where = rng.choice(places[1:] or places)
        if not where:
            return words.value(rng)
        holder = document
        for key in where[:-1]:
            holder = holder[key]
        what = rng.random()
        if what < 0.7:
            holder[where[-1]] = words.value(rng)
        elif what < 0.8:
            del holder[where[-1]]
        elif isinstance(holder, dict):
            holder[rng.choice(words.TEXTS[:60])] = words.value(rng)
        else:
            holder.append(words.value(rng))
    return document


def encode(document, rng: random.Random | None = None) -> bytes:
    """As JSON, with what ``json`` cannot write put in; now and then in another encoding or cut off."""
    text = json.dumps(document, ensure_ascii=True)
    for mark, raw in _MARKS.items():
        text = text.replace(f'"{mark}"', raw)
    encoded = text.encode()
    if rng is None or rng.random() < 0.93:
        return encoded
    if rng.random() < 0.3:
        return re.sub(r"\\ud8(..)", lambda m: chr(0xD800 + int(m[1], 16)), text).encode("utf-8", "surrogatepass")
    return rng.choice((encoded[:-1], encoded + b"}", text.encode("utf-16"), b"\xef\xbb\xbf" + encoded, b"\xff" + encoded,
    b"[" * 100000,
                       b'{"a":' * 50000, b"", b"null", b'"x"', b"[]", b"NaN", b"[" + encoded + b"]", b"0" * 20,
                       encoded.replace(b'"', b"'")))
