"""Requests from the route tables: every route that there is, however wrong a client may ask for it."""

import dataclasses
import functools
import importlib
import inspect
import pathlib
import random
import re
import urllib.parse

from tests.hostile import bodies, words

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = {"identity": "identity", "image": "image", "network": "network", "volume": "volume", "compute": "compute_api",
            "placement": "compute_api.placement", "dashboard": "dashboard"}
VERSIONS = {"compute": ("2.1", "2.26", "2.53", "2.73", "2.79", "latest"), "volume": ("3.0", "3.27", "3.44", "3.59", "latest"),
            "placement": ("1.0", "1.14", "1.24", "1.33", "latest")}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO")
_PARAMETER = re.compile(r"\{(\w+)[^}]*\}")


def routes_of(service: str) -> list:
    """All of a service, of every version of its API."""
    packages = [PACKAGES[service], *(["identity.v2"] if service == "identity" else [])]
    return [route for package in packages for route in importlib.import_module(f"{package}.router").ROUTES]


@dataclasses.dataclass
class Request:
    """``head``: request line and headers but for the body's; ``frame``: how the body is announced, or None for rightly."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    frame: bytes | None = None
    line: bytes | None = None

    def encode(self) -> bytes:
        line = self.line if self.line is not None else f"{self.method} {self.path} HTTP/1.1".encode("latin-1", "replace")
        named = {n.lower() for n, _ in self.headers}
        headers = [*self.headers, *([] if "host" in named else [("Host", "127.0.0.1")])]
        head = line + b"\r\n" + b"".join(f"{n}: {v}\r\n".encode("latin-1", "replace") for n, v in headers)
        length = b"Content-Length: %d\r\n" % len(self.body) if self.body or self.method in ("POST", "PUT", "PATCH") else b""
        return head + (length if self.frame is None else self.frame) + b"\r\n" + self.body


@functools.cache
def _query_names(package: str) -> tuple[str, ...]:
    """Parameters that a service's sources read."""
    text = "".join(p.read_text() for p in (ROOT / package.replace(".", "/")).rglob("*.py"))
    return tuple(sorted({*re.findall(r'GET(?:\.get(?:all)?)?[\[(]"([\w:.-]+)"', text),
                         *re.findall(r'int_param\(req, "([\w-]+)"', text), "limit", "marker", "offset", "sort_key", "sort_dir",
                         "sort", "fields",
                         "name", "tags", "tags-any", "not-tags", "changes-since", "all_tenants", "status", "id",
                         "page_reverse", "created_at"}))


def _panel_names(panel) -> list[str]:
    """The names that the forms of a panel of the dashboard may have."""
    declared = [a.fields for a in panel.actions] + [panel.create.fields if panel.create else ()]
    return ["verb", "id", "confirm_name", *(f.name for fields in declared if isinstance(fields, tuple) for f in fields)]


@functools.cache
def _form_names(module: str) -> tuple[str, ...]:
    text = inspect.getsource(importlib.import_module(module))
    return tuple(sorted(set(re.findall(r'(?:fields|given|form\w*)(?:\.get\(|\[)"(\w+)"', text)) | {"next", "name"}))


def _schemas(handler) -> list[dict]:
    """The schemas that bodies of this handler are checked by: what it declares, else what its object or its module has."""
    plain = inspect.unwrap(handler.func if isinstance(handler, functools.partial) else handler)
    for step in (handler, plain):
        if hasattr(step, "body_schema"):
            return [step.body_schema]
    owner = getattr(plain, "__self__", None)
    if owner is not None:
        own = [v.schema for v in vars(owner).values() if hasattr(v, "schema")]
        own += [{"type": "object", "properties": owner.properties}] if isinstance(getattr(owner, "properties", None),
        dict) else []
        name = getattr(owner, "singular", "")
        found = [s if not name or name in s.get("properties", {}) else {"type": "object", "required": [name],
        "properties": {name: s}}
                 for s in own if isinstance(s, dict)]
        if found:
            return found
    found = []
    for each in vars(inspect.getmodule(plain)).values():
        if hasattr(each, "schema") and isinstance(each.schema, dict):
            found.append(each.schema)
        if isinstance(each, dict):
            found += [{"type": "object", "required": [k], "properties": {k: v.schema}} for k, v in each.items()
                      if hasattr(v, "schema") and isinstance(k, str)]
    return found


class Generator:
    """:param things: ``tests.hostile.things.Things``: ids of what is really there"""

    def __init__(self, service: str, things, seed: int):
        self.service, self.things, self.rng = service, things, random.Random(f"{service}{seed}")
        self.routes = routes_of(service)
        self.at = 0

    def next(self) -> Request:
        """Every route in turn, so that none is left out."""
        route = self.routes[self.at % len(self.routes)]
        if self.at % len(self.routes) == 0:
            self.rng.shuffle(self.routes)
        self.at += 1
        rng, what = self.rng, self.rng.random()
        if what < 0.02:
            return Request("GET", "/", self._headers(), line=rng.choice(words.LINES))
        request = Request(route.method, self._path(route, what < 0.25), self._headers())
        if 0.1 < what < 0.45 or route.method == "GET" and what < 0.75:
            request.path += "?" + self._query(route)
        if route.method in ("POST", "PUT", "PATCH") or what > 0.97:
            request.body = self._body(route, 0.4 < what)
            request.headers.append(("Content-Type", self._content_type(route)))
        if rng.random() < 0.04:
            request.method = rng.choice(METHODS)
        for _ in range(rng.choice((0, 0, 0, 0, 1, 1, 3)) if what > 0.6 or rng.random() < 0.2 else 0):
            name, values = rng.choice(words.HEADERS)
            request.headers = [h for h in request.headers if h[0] != name] + [(name, rng.choice(values))]
        if rng.random() < 0.03:
            request.frame, request.body = rng.choice(words.FRAMES)
        return request

    def _headers(self) -> list[tuple[str, str]]:
        found = self.things.credentials(self.service, self.rng)
        versions = VERSIONS.get(self.service)
        if versions and self.rng.random() < 0.9:
            found.append(("OpenStack-API-Version", f"{self.service} {self.rng.choice(versions)}"))
        return found

    def _path(self, route, hostile: bool) -> str:
        names = _PARAMETER.findall(route.path)
        wrong = self.rng.choice(names) if names and hostile else None
        # What a route destroys must not be what everything here stands on.
        safe = route.method in ("GET", "HEAD")

        path = self.things.fill(self.service, route.path, self.rng,
                                lambda name: self.rng.choice(words.SEGMENTS) if name == wrong else None, safe=safe)
        if path is None:
            path = _PARAMETER.sub(lambda match: self.rng.choice(words.SEGMENTS), route.path)
        return path + ("/" if self.service == "dashboard" else self.rng.choice(("",) * 40 + ("/", "//", ".json", "/..", "%2F",
        "%00")))

    def _query(self, route) -> str:
        rng, names = self.rng, [*_query_names(PACKAGES[self.service]), *self.things.fields(self.service)]
        pairs = []
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            name = rng.choice(names) if rng.random() < 0.93 else rng.choice(words.TEXTS[:80])
            raw = rng.choice(words.TEXTS) if rng.random() < 0.8 else str(rng.choice(words.NUMBERS))
            real = self.things.find(self.service, name, "", rng, safe=True) if rng.random() < 0.15 else None
            pairs.append((name, real or raw[:4000]))
        if rng.random() < 0.02:
            pairs = [(rng.choice(names), "x")] * rng.choice((300, 1000))
        if rng.random() < 0.05:
            return rng.choice(("%FF", "a=%ED%A0%80", "=", "&&&", "a", "%", "a=%zz", "\xff=\xff", "a=b;c=d", "limit",
            "name=%00", "marker="))
        return urllib.parse.urlencode(pairs, errors="surrogatepass")[:7500]

    def _content_type(self, route) -> str:
        if self.service == "dashboard":
            return "application/x-www-form-urlencoded"
        if self.service == "image" and route.method == "PATCH":
            return "application/openstack-images-v2.1-json-patch"
        return "application/octet-stream" if route.path.endswith(("/file", "/stage")) else "application/json"

    def _body(self, route, hostile: bool) -> bytes:
        rng = self.rng
        if self.service == "dashboard":
            return self._form(route)
        if self.service == "image" and route.method == "PATCH":
            document: object = [{"op": rng.choice(("add", "replace", "remove")), "path": rng.choice((
                "/name", "/tags", "/min_ram", "/visibility", "/x", "/locations/-", "/locations/0", "/a~1b", "/owner",
                "/protected")),
                "value": rng.choice(("x", 1, True, None, ["a"], {"url": "http://[::1/x", "metadata": {}}))}]
        else:
            schemas = _schemas(route.handler)
            schema = rng.choice(schemas) if schemas else {"type": "object", "properties": {"name": {"type": "string"}}}
            document = bodies.sample(schema, rng, lambda name: self.things.find(self.service, name, "", rng,
            safe=rng.random() < 0.3))
        return bodies.encode(bodies.mutated(document, rng) if hostile else document, rng if hostile else None)

    def _form(self, route) -> bytes:
        rng = self.rng
        panel = getattr(route.handler, "__self__", None)
        names = _panel_names(panel.panel) if panel else _form_names(inspect.getmodule(inspect.unwrap(route.handler)).__name__)
        fields = {n: self.things.find("compute", n, "", rng, safe=False) or "1" for n in names if rng.random() < 0.8}
        for name in list(fields):
            if rng.random() < 0.3:
                fields[name] = str(rng.choice(words.TEXTS))[:5000]
        if rng.random() < 0.95:
            fields["csrfmiddlewaretoken"] = self.things.csrf
        encoded = urllib.parse.urlencode(fields, errors="surrogatepass").encode()
        return encoded if rng.random() < 0.9 else rng.choice((b"%FF=%FF", b"a=%", b"\xff", b"&" * 3000,
        b"--x\r\nContent-Disposition: form-data; name=\"a\""
                                                               b"; filename=\"\xff\"\r\n\r\nx\r\n--x--",
                                                               encoded + b"&" + encoded))
