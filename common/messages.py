"""Declared shapes of RPC messages: validated when read, and written so that peers of an older release understand them.

A shape is a ``TypedDict``, so that type checkers know the fields of what was read. A field that was added after version 1.0
of its interface says when, and what it is where an older peer does not send it::

    class RequestSpec(TypedDict):
        uuid: Id
        attempt: Annotated[int | None, Added("1.1", default=None)]

Whoever reads a message gets these fields and no other: unknown ones, which a newer peer may send, are dropped; missing ones get
their default; a value of another type is refused. Nothing is converted: "1" is no integer.
"""

import dataclasses
import functools
import operator
import types
import typing
from typing import Annotated, Any

import msgspec

from common import errors

Version = tuple[int, int]
FIRST: Version = (1, 0)
_NONE = object()  # no default

# Ids become part of URLs, paths and file names, so they have no slashes and do not begin with a dot.
Id = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}\Z")]
HostName = Annotated[str, msgspec.Meta(pattern=r"\A[^/\x00-\x20\x7f]{1,255}\Z")]
Text = Annotated[str, msgspec.Meta(max_length=65535)]
Count = Annotated[int, msgspec.Meta(ge=0)]


@dataclasses.dataclass(frozen=True)
class Added:
    """The version that introduced a field or argument, and its value in messages without it."""

    version: str
    default: Any = _NONE


def parse_version(text: str) -> Version:
    """:raises ValueError: not a version"""
    major, minor = text.split(".")
    return int(major), int(minor)


def format_version(version: Version) -> str:
    return ".".join(map(str, version))


class Shape:
    """Reads and writes values of a declared type: a TypedDict, or a list, dictionary or union of TypedDicts and plain JSON."""

    def __init__(self, kind):
        self.kind = kind
        self.version = max((parse_version(a.version) for a in _additions(kind)), default=FIRST)
        self._types: dict[Version, Any] = {}

    def read(self, value):
        """A received value with its declared fields only, as plain dictionaries and lists.

        :raises InvalidMessage: it does not have this shape
        """
        return self._convert(value, self.version)

    def write(self, value, version: Version):
        """The value without the fields that a peer of ``version`` does not know.

        :raises InvalidMessage: it does not have this shape
        """
        return self._convert(value, min(version, self.version))

    def _convert(self, value, version: Version):
        if version not in self._types:
            self._types[version] = _compiled(self.kind, version)
        try:
            return msgspec.to_builtins(msgspec.convert(value, self._types[version]))
        except (msgspec.ValidationError, RecursionError, UnicodeError) as error:
            raise errors.InvalidMessage(internal=str(error)) from error


@functools.cache
def shape(kind) -> Shape:
    """The ``Shape`` of a type (cached)."""
    return Shape(kind)


def _additions(kind):
    """All ``Added`` notes in a type."""
    if typing.is_typeddict(kind):
        for field in typing.get_type_hints(kind, include_extras=True).values():
            yield from _additions(field)
    elif typing.get_origin(kind) is Annotated:
        base, *notes = typing.get_args(kind)
        yield from (note for note in notes if isinstance(note, Added))
        yield from _additions(base)
    elif typing.get_origin(kind) is not typing.Literal:
        for argument in typing.get_args(kind):
            yield from _additions(argument)


def _compiled(kind, version: Version):
    """The type for msgspec, with the fields that ``version`` has."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if typing.is_typeddict(kind):
        return _struct(kind, version)
    if origin is Annotated:
        notes = tuple(note for note in arguments[1:] if isinstance(note, msgspec.Meta))
        inner = _compiled(arguments[0], version)
        return Annotated[(inner, *notes)] if notes else inner
    if origin in (typing.Union, types.UnionType):
        return functools.reduce(operator.or_, (_compiled(a, version) for a in arguments))
    if origin in (list, dict):
        return origin[tuple(_compiled(a, version) for a in arguments)]
    return kind


@functools.cache
def _struct(kind, version: Version):
    fields: list[tuple] = []
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        optional = name in kind.__optional_keys__
        if typing.get_origin(hint) is typing.NotRequired:
            hint = typing.get_args(hint)[0]
        added = next((n for n in getattr(hint, "__metadata__", ()) if isinstance(n, Added)), None)
        if added and parse_version(added.version) > version:
            continue
        inner = _compiled(hint, version)
        if optional:  # a missing field stays missing, without a default
            fields.append((name, inner | msgspec.UnsetType, msgspec.UNSET))
        elif added and added.default is not _NONE:
            fields.append((name, inner, added.default))
        else:
            fields.append((name, inner))
    return msgspec.defstruct(kind.__name__, fields, kw_only=True, frozen=True)
