"""Locations: where the bytes of an image are: in stores, each by its name; and where URLs of the web say.

What is named by a URL is read from there at each download, by the rules of ``web``; whoever uses it looks at what came as
at any other image. URLs are never followed to a file or into a store, and what an upload put into its store cannot be
taken from its image: it would be another image by the same id (CVE-2016-0757).
The operations are those of OpenStack's JSON patch: ``add /locations/N``, ``remove /locations/N``, ``replace /locations``.
"""

import contextlib

from common import errors, schema
from common.values import integer
from image import web

# What a client says that the bytes are, where the service has not read them itself.
FACTS = schema.obj({"checksum": {"type": "string", "pattern": "[0-9a-fA-F]{32}"},
                     "os_hash_algo": {"enum": ["sha256", "sha384", "sha512"]},
                     "os_hash_value": {"type": "string", "pattern": "[0-9a-fA-F]{64,128}"}}, ["os_hash_algo", "os_hash_value"])
_LOCATION = schema.compiled(schema.obj({
    "url": {"type": "string", "minLength": 1, "maxLength": 2048},
    "metadata": {"type": "object", "maxProperties": 32}, "validation_data": FACTS}, ["url", "metadata"]))
_MAX_LOCATIONS = 10


def of(row: dict) -> list[dict]:
    """[{"url", "metadata"}] of an image, in the order in which they came."""
    if row["locations"] is not None:
        return row["locations"]
    return [{"url": f"file:///{row['id']}", "metadata": {"store": "file"}}] if row["status"] in (
        "active", "deactivated", "pending_delete", "deleted") and row["size"] is not None else []


def of_web(location: dict) -> bool:
    return location["url"].startswith(("http://", "https://"))


def held(row: dict) -> list[str]:
    """The stores that have an image."""
    return [each["metadata"]["store"] for each in of(row) if not of_web(each)]


def stores(row: dict, known) -> list[str]:
    """The same, the heaviest first, and with them the store that stands for the web.

    :param known: the service's ``Stores``
    """
    names = dict.fromkeys(known.web if of_web(each) else each["metadata"]["store"] for each in of(row))
    return sorted(names, key=lambda name: (-known.weight(name), name))


def at(store, image_id: str) -> dict:
    """The location of an image in a store."""
    return {"url": store.url(image_id), "metadata": {"store": store.name}}


_DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}


def check_facts(given: dict) -> None:
    """:raises BadRequest: a hash that is not as long as its algorithm's are"""
    if len(given["os_hash_value"]) != _DIGITS[given["os_hash_algo"]]:
        raise errors.BadRequest(f"Invalid os_hash_value: {given['os_hash_algo']} has {_DIGITS[given['os_hash_algo']]} digits.")


def measure(row: dict, changes, conf) -> dict[str, int]:
    """{URL: bytes} of every URL that a patch names and the image has not yet; asked of their servers, so before any transaction.

    :raises BadRequest: one is not allowed, or does not answer
    """
    found, known = {}, {each["url"] for each in _kept(row)}
    for op, _, value in changes:
        for entry in (value if isinstance(value, list) else [value]) if op != "remove" else []:
            _LOCATION(entry)
            if entry["url"] not in known:
                found[entry["url"]] = size(entry["url"], conf)
    return found


def _kept(row: dict) -> list[dict]:
    """The locations that a patch begins with: one that did not give what it should have, of a queued image, counts for none."""
    return [] if row["status"] == "queued" else of(row)


def size(url: str, conf) -> int:
    """Bytes of what a URL names.

    :raises BadRequest: it is not allowed, or does not answer
    :raises StorageFull: it is larger than images may be
    """
    try:
        found = web.size(url, conf)
    except errors.StepFailed as error:
        raise errors.BadRequest(f"Invalid location: {error}") from error
    if found > conf.max_image_bytes:
        raise errors.StorageFull(f"The image is larger than {conf.max_image_bytes} bytes.")
    return found


def patched(row: dict, changes, sizes: dict[str, int]) -> dict:
    """The columns that a patch of locations changes.

    :param changes: [(op, path parts, value)]
    :raises BadRequest, Conflict, Forbidden: what it would do is not allowed
    """
    if row["status"] not in ("queued", "active"):
        raise errors.Conflict(f"Locations of an image in status {row['status']} cannot be changed.")
    known, values = [dict(each) for each in _kept(row)], dict[str, object]()
    for op, parts, value in changes:
        if len(parts) == 1:
            if op == "remove":
                raise errors.Forbidden("Property locations may not be removed.")
            known = _replaced(known, value, sizes)
        elif op == "add":
            _require_measured([value], sizes)
            known.insert(_index(parts[1], len(known)), {"url": value["url"], "metadata": value["metadata"]})
            values.update(_facts({**row, **values}, value.get("validation_data")))
        elif op == "remove":
            _remove(known, parts[1])
        else:
            raise errors.BadRequest("A location is not replaced: add the new one, then remove the old one.")
    urls = [each["url"] for each in known]
    if len(set(urls)) != len(urls):
        raise errors.BadRequest("The same location is named twice.")
    if len(urls) > _MAX_LOCATIONS:
        raise errors.TooLarge(f"An image may have at most {_MAX_LOCATIONS} locations.")
    if row["status"] == "queued" and known:
        values.update(status="active", size=sizes[urls[0]])
    return {**values, "locations": known or None}


def _index(text: str, count: int) -> int:
    if text == "-":
        return count
    return integer(text, "position for adding to list", high=count)


def _remove(known: list[dict], text: str) -> None:
    at = integer(text, "position in the list of locations", high=len(known) - 1)
    if len(known) == 1 or not of_web(known[at]):
        raise errors.Forbidden("What a store has of an image, and its last location, stay until the image is deleted.")
    del known[at]


def _replaced(known: list[dict], wanted, sizes: dict[str, int]) -> list[dict]:
    """A whole list in place of another: where there is one, it may only change what is said of each, but for its store."""
    if not isinstance(wanted, list):
        raise errors.BadRequest("Invalid locations: not a list.")
    if known and {each["url"] for each in known} != {each["url"] for each in wanted}:
        raise errors.BadRequest("Replacing locations may change their metadata only.")
    if not known:
        _require_measured(wanted, sizes)
    kept = {each["url"]: {"store": each["metadata"]["store"]} for each in known if not of_web(each)}
    return [{"url": each["url"], "metadata": {**each["metadata"], **kept.get(each["url"], {})}} for each in wanted]


def _require_measured(wanted: list[dict], sizes: dict[str, int]) -> None:
    """:raises BadRequest: a location that was not looked at, as one that another request took away meanwhile"""
    if any(each["url"] not in sizes or not of_web(each) for each in wanted):
        raise errors.BadRequest("Invalid location: only URLs of the web can be named.")


def _facts(row: dict, given: dict | None) -> dict:
    """What a client says of the bytes: taken for an image that has none yet, compared for one that has."""
    if not given:
        return {}
    if row["status"] == "queued" and row["os_hash_value"] is None:
        check_facts(given)
        return given
    if any(row[name] != value for name, value in given.items()):
        raise errors.Conflict("The location's validation data differ from the image's.")
    return {}


class _Remote:
    """A stream of a URL; ``close`` ends the connection."""

    def __init__(self, url: str, conf):
        self._stack = contextlib.ExitStack()
        self._source = self._stack.enter_context(web.fetch(url, conf))

    def read(self, size: int) -> bytes:
        return self._source.read(size)

    def seek(self, offset: int) -> None:
        """Forward only: what comes before is read and thrown away."""
        while offset > 0 and (skipped := self.read(min(offset, 1 << 20))):
            offset -= len(skipped)

    def close(self) -> None:
        self._stack.close()


def open_first(row: dict, known, conf):
    """A stream of an image's bytes (``read``, ``seek``, ``close``), of the first location that gives them.

    :param known: the service's ``Stores``; the heaviest is asked first
    :raises ServiceUnavailable: none does
    """
    reasons = []
    for each in sorted(of(row), key=lambda one: -known.weight(known.web if of_web(one) else one["metadata"]["store"])):
        try:
            return _Remote(each["url"], conf) if of_web(each) else known.get(each["metadata"]["store"]).open(row["id"])
        except (errors.NotFound, errors.BadRequest, errors.StepFailed, errors.ServiceUnavailable) as error:
            reasons.append(f"{each['url']}: {error} {error.internal or ''}")
    raise errors.ServiceUnavailable(part=f"the location of image {row['id']}", internal="; ".join(reasons))
