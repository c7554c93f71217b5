"""Locations: the URLs of an image's data, in stores, each with its name, or on web servers.

Web locations are read at each download, with the checks in ``web``; consumers inspect the data as that of any other
image. URLs never lead to a file or into a store. The location of uploaded data cannot be removed from its image,
since the id would then refer to other data (CVE-2016-0757). The operations are those of OpenStack's JSON patch: ``add
/locations/N``, ``remove /locations/N``, ``replace /locations``.
"""

import contextlib

from common import errors, schema
from common.values import integer
from image import web

# The client's statement about the data, if the service has not read it.
FACTS = schema.obj({"checksum": {"type": "string", "pattern": "[0-9a-fA-F]{32}"},
                     "os_hash_algo": {"enum": ["sha256", "sha384", "sha512"]},
                     "os_hash_value": {"type": "string", "pattern": "[0-9a-fA-F]{64,128}"}}, ["os_hash_algo", "os_hash_value"])
_LOCATION = schema.compiled(schema.obj({
    "url": {"type": "string", "minLength": 1, "maxLength": 2048},
    "metadata": {"type": "object", "maxProperties": 32}, "validation_data": FACTS}, ["url", "metadata"]))
_MAX_LOCATIONS = 10


def entries(row: dict) -> list[dict]:
    """[{"url", "metadata"}] of an image, in the order in which they were added."""
    if row["locations"] is not None:
        return row["locations"]
    return [{"url": f"file:///{row['id']}", "metadata": {"store": "file"}}] if row["status"] in (
        "active", "deactivated", "pending_delete", "deleted") and row["size"] is not None else []


def of_web(location: dict) -> bool:
    return location["url"].startswith(("http://", "https://"))


def store_names(row: dict) -> list[str]:
    """The stores that contain an image."""
    return [each["metadata"]["store"] for each in entries(row) if not of_web(each)]


def stores(row: dict, known) -> list[str]:
    """The same, greatest weight first, including the store that represents the web.

    :param known: the service's ``Stores``
    """
    names = dict.fromkeys(known.web if of_web(each) else each["metadata"]["store"] for each in entries(row))
    return sorted(names, key=lambda name: (-known.weight(name), name))


def in_store(store, image_id: str) -> dict:
    """The location of an image in a store."""
    return {"url": store.url(image_id), "metadata": {"store": store.name}}


_DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}


def check_facts(given: dict) -> None:
    """:raises BadRequest: the length of a hash does not match its algorithm"""
    if len(given["os_hash_value"]) != _DIGITS[given["os_hash_algo"]]:
        raise errors.BadRequest(f"Invalid os_hash_value: {given['os_hash_algo']} has {_DIGITS[given['os_hash_algo']]} digits.")


def measure(row: dict, changes, conf) -> dict[str, int]:
    """{URL: bytes} of the new URLs in a patch. It sends requests to their servers, so it is called before any
    transaction.

    :raises BadRequest: a URL is not allowed, or its server does not respond
    """
    found, known = {}, {each["url"] for each in _kept(row)}
    for op, _, value in changes:
        for entry in (value if isinstance(value, list) else [value]) if op != "remove" else []:
            _LOCATION(entry)
            if entry["url"] not in known:
                found[entry["url"]] = size(entry["url"], conf)
    return found


def _kept(row: dict) -> list[dict]:
    """The current locations before a patch. A location that failed verification, of a queued image, is left out."""
    return [] if row["status"] == "queued" else entries(row)


def size(url: str, conf) -> int:
    """The size of a URL's data in bytes.

    :raises BadRequest: it is not allowed, or its server does not respond
    :raises StorageFull: it is larger than the limit for images
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
    :raises BadRequest, Conflict, Forbidden: the change is not allowed
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
            raise errors.BadRequest("Locations cannot be replaced: add the new one, then remove the old one.")
    urls = [each["url"] for each in known]
    if len(set(urls)) != len(urls):
        raise errors.BadRequest("The same location is given twice.")
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
        raise errors.Forbidden("Locations in stores, and the last location, can only be removed by deleting the image.")
    del known[at]


def _replaced(known: list[dict], wanted, sizes: dict[str, int]) -> list[dict]:
    """Replace the whole list. If the image has locations, only their metadata may change, except for the store."""
    if not isinstance(wanted, list):
        raise errors.BadRequest("Invalid locations: not a list.")
    if known and {each["url"] for each in known} != {each["url"] for each in wanted}:
        raise errors.BadRequest("Replacing locations may change their metadata only.")
    if not known:
        _require_measured(wanted, sizes)
    kept = {each["url"]: {"store": each["metadata"]["store"]} for each in known if not of_web(each)}
    return [{"url": each["url"], "metadata": {**each["metadata"], **kept.get(each["url"], {})}} for each in wanted]


def _require_measured(wanted: list[dict], sizes: dict[str, int]) -> None:
    """:raises BadRequest: a location that was not measured, because a concurrent request has removed it"""
    if any(each["url"] not in sizes or not of_web(each) for each in wanted):
        raise errors.BadRequest("Invalid location: only http and https URLs are allowed.")


def _facts(row: dict, given: dict | None) -> dict:
    """The client's statement about the data: stored for an image without data, compared for others."""
    if not given:
        return {}
    if row["status"] == "queued" and row["os_hash_value"] is None:
        check_facts(given)
        return given
    if any(row[name] != value for name, value in given.items()):
        raise errors.Conflict("The location's validation data differ from the image's.")
    return {}


class _Remote:
    """A stream from a URL; ``close`` ends the connection."""

    def __init__(self, url: str, conf):
        self._stack = contextlib.ExitStack()
        self._source = self._stack.enter_context(web.fetch(url, conf))

    def read(self, size: int) -> bytes:
        return self._source.read(size)

    def seek(self, offset: int) -> None:
        """Forward only: the bytes before the offset are read and discarded."""
        while offset > 0 and (skipped := self.read(min(offset, 1 << 20))):
            offset -= len(skipped)

    def close(self) -> None:
        self._stack.close()


def open_first(row: dict, known, conf):
    """A stream of an image's data (``read``, ``seek``, ``close``) from the first location that responds.

    :param known: the service's ``Stores``; those with the greatest weight first
    :raises ServiceUnavailable: none responds
    """
    reasons = []
    for each in sorted(entries(row), key=lambda one: -known.weight(known.web if of_web(one) else one["metadata"]["store"])):
        try:
            return _Remote(each["url"], conf) if of_web(each) else known.get(each["metadata"]["store"]).open(row["id"])
        except (errors.NotFound, errors.BadRequest, errors.StepFailed, errors.ServiceUnavailable) as error:
            reasons.append(f"{each['url']}: {error} {error.internal or ''}")
    raise errors.ServiceUnavailable(part=f"the location of image {row['id']}", internal="; ".join(reasons))
