"""Parts of OpenStack's APIs that this cloud does not have.

A service lists them, so that requests for them get a different answer than mistyped paths. The status is that of OpenStack for a
part that is not installed (404), was removed from its API (410), or can only be read here (405).
"""

import dataclasses
import re
import typing

from common import errors

_PROJECT = r"(?:/(?:[0-9a-f]{32}|[0-9a-f-]{36}))?"


@dataclasses.dataclass(frozen=True)
class Part:
    """A path, including everything below it.

    :param path: without the prefix of its table; ``{name}`` is one segment
    :param feature: in the plural, as in "This cloud does not support ..."
    :param methods: the missing methods of the path itself, if it has others; empty: all
    :param removed: whether OpenStack has removed it too
    :param read_only: whether these methods change what can only be read here: 405
    """

    path: str
    feature: str
    methods: tuple[str, ...] = ()
    removed: bool = False
    read_only: bool = False

    def error(self) -> errors.Error:
        if self.removed:
            return errors.Gone(f"This resource is no longer available: {self.feature} were removed from the API.")
        if self.read_only:
            return errors.MethodNotAllowed(f"The method is not allowed for this resource. {message_for(self.feature)}")
        return errors.NotFound(f"The resource could not be found. {message_for(self.feature)}")


def message_for(feature: str) -> str:
    return f"This cloud does not support {feature}."


class Table:
    """The missing parts of one API.

    :param prefix: of all its paths
    :param project: whether a project id may follow the prefix
    """

    def __init__(self, prefix: str, parts: typing.Iterable[Part], *, project: bool = False):
        self.prefix, self.parts = prefix, tuple(parts)
        start = re.escape(prefix) + (_PROJECT if project else "")
        self._patterns = [(part, re.compile(start + _pattern(part))) for part in self.parts]

    def find(self, method: str, path: str) -> Part | None:
        for part, pattern in self._patterns:
            if pattern.fullmatch(path) and (not part.methods or method in part.methods):
                return part
        return None


def _pattern(part: Part) -> str:
    path = "".join("[^/]+" if piece.startswith("{") else re.escape(piece) for piece in re.split(r"(\{[^}]*\})", part.path))
    return path if part.methods else path + "(?:/.*)?"


EMPTY = Table("", ())


def unknown_action(names: typing.Iterable[str], features: dict[str, str], removed: dict[str, str] | None = None) -> errors.Error:
    """The error for a body without a known action.

    :param features: {action that OpenStack has and this cloud does not: its feature}
    :param removed: the same of actions that OpenStack has removed from its API
    """
    names = sorted(names)
    if len(names) == 1 and names[0] in (removed or {}):
        return Part("", (removed or {})[names[0]], removed=True).error()
    missing = [message_for(features[name]) for name in names if name in features]
    return errors.BadRequest(". ".join([f"There is no such action: {', '.join(names)[:100]}", *missing[:1]]))
