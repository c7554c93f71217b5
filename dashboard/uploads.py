"""Forms with a file (multipart/form-data), whose content goes on to a service while it arrives: it is never held here."""

import collections.abc
import typing

import multipart

from common import errors
from dashboard import session
from dashboard.forms import Fields
from dashboard.texts import Text

_CHUNK, _MOST_BYTES_OF_FIELDS, _MOST_FIELDS = 256 * 1024, 64 * 1024, 50


def _events(req) -> typing.Iterator:
    """The parser's events: a segment, pieces of its content, None at its end."""
    kind, options = multipart.parse_options_header(req.headers.get("Content-Type", ""))
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise errors.BadRequest("This is not a form of the dashboard.")
    left = req.content_length
    if left is None:
        raise errors.BadRequest("The form has no length.")
    try:
        with multipart.PushMultipartParser(options["boundary"], left, max_segment_count=_MOST_FIELDS, strict=True) as parser:
            while left and not parser.closed:
                data = req.environ["wsgi.input"].read(min(_CHUNK, left))
                if not data:
                    raise errors.BadRequest("The form ended early.")
                left -= len(data)
                yield from parser.parse(data)
    except multipart.MultipartError:
        raise errors.BadRequest("The form cannot be read.") from None


def form(req, file: str) -> tuple[Fields, collections.abc.Iterator[bytes]]:
    """The fields before a file, and the file's content, which must be read to its end.

    :param file: the name of the field with the file, which is the last of the form
    :raises Forbidden: it was not posted from a page of the dashboard
    :raises BadRequest: not such a form, or without a file
    :raises TooLarge: the fields are larger than any form of the dashboard
    """
    events, name, content, size = _events(req), "", b"", 0
    found: list[tuple[str, str]] = []
    for event in events:
        if isinstance(event, multipart.MultipartSegment):
            if event.name == file and event.filename is not None:
                fields = Fields((key, value.strip()) for key, value in found)
                session.check_form(req, fields)
                if not event.filename:
                    raise errors.BadRequest("Choose a file.")
                return fields, _content(events)
            name, content = event.name, b""
        elif event is None:
            try:
                found.append((name, content.decode()))
            except UnicodeDecodeError:
                raise errors.BadRequest("The form cannot be read.") from None
        else:
            size += len(event)
            if size > _MOST_BYTES_OF_FIELDS:
                raise errors.TooLarge(Text("The fields of a form may have {most} bytes.", most=_MOST_BYTES_OF_FIELDS))
            content += bytes(event)
    raise errors.BadRequest("Choose a file.")


def drain(content: collections.abc.Iterator[bytes], most: int = 1 << 26) -> None:
    """Read what a browser still sends, so that it sees the answer; at most ``most`` bytes, which it may take as refused."""
    for piece in content:
        most -= len(piece)
        if most < 0:
            break


def _content(events: collections.abc.Iterator) -> collections.abc.Iterator[bytes]:
    for event in events:
        if event is None:
            break
        yield bytes(event)
    for _ in events:  # what follows the file: the end of the form
        pass
