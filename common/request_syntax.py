"""Checks that a request is well-formed HTTP, before any service reads it."""

import re
import urllib.parse

from common import errors, values

_HOST = re.compile(r"[A-Za-z0-9._-]{1,255}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_CONTENT_TYPE = re.compile(r"[\w!#$&^.+*-]+(/[\w!#$&^.+*-]+)?\s*(;[\x20-\x7e\t]*)?", re.ASCII)
# Above what any client sends. Each parameter may become a condition of an SQL query.
MAX_PARAMETERS = 256


def _text(raw: bytes, part: str) -> str:
    try:
        found = raw.decode()
    except UnicodeDecodeError:
        raise errors.BadRequest(f"The {part} of the request is not valid UTF-8.") from None
    if values.unprintable(found):
        raise errors.BadRequest(f"The {part} of the request has control characters.")
    return found


def check(environ: dict) -> None:
    """:raises BadRequest: the path or query is not UTF-8, a part has control characters, or Host or Content-Type is invalid; the
        text
    names the part
    """
    path = _text(environ.get("PATH_INFO", "").encode("latin-1"), "path")
    if "\n" in path or "\r" in path:
        raise errors.BadRequest("The path of the request has control characters.")
    query = environ.get("QUERY_STRING", "")
    if _CONTROL.search(query):
        raise errors.BadRequest("The query of the request has control characters.")
    if query.count("&") + query.count(";") >= MAX_PARAMETERS:
        raise errors.BadRequest(f"The request has more than {MAX_PARAMETERS} parameters.")
    _text(urllib.parse.unquote_to_bytes(query.encode("latin-1").replace(b"+", b" ")), "query")
    for name, value in environ.items():
        if name.startswith("HTTP_") and _CONTROL.search(value):
            raise errors.BadRequest(f"The header {name[5:].replace('_', '-')} has control characters.")
    host = environ.get("HTTP_HOST")
    if host is not None and not _HOST.fullmatch(host):
        raise errors.BadRequest("The header Host is not valid.")
    kind = environ.get("CONTENT_TYPE")
    if kind and not _CONTENT_TYPE.fullmatch(kind):
        raise errors.BadRequest("The header Content-Type is not valid.")


class Body:
    """``wsgi.input`` that raises BadRequest for errors of the client, such as an invalid chunk or an early end."""

    def __init__(self, source):
        self._source = source

    def __getattr__(self, name: str):
        return getattr(self._source, name)

    def _call(self, name: str, *args):
        try:
            return getattr(self._source, name)(*args)
        except (OSError, ValueError) as error:
            raise errors.BadRequest("The request body could not be read to its end.", internal=str(error)) from error

    def read(self, *args) -> bytes:
        return self._call("read", *args)

    def readline(self, *args) -> bytes:
        return self._call("readline", *args)

    def readlines(self, *args) -> list[bytes]:
        return self._call("readlines", *args)

    def __iter__(self):
        return iter(self.readline, b"")
