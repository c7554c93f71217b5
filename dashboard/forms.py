"""Forms: declared fields, what was typed into them, and what is wrong with it.

A form that is refused, by the dashboard or by an API, is shown again with everything that was typed, except passwords.
"""

import dataclasses
import re
import typing

from common import errors, values
from dashboard.texts import Text, mark

Options = typing.Sequence[tuple[str, str]]  # (value, text)
# Refusals of an API that the user can mend in the form.
MENDABLE = (errors.BadRequest, errors.Forbidden, errors.Conflict, errors.TooLarge, errors.NotFound, errors.QuotaExceeded)


class Refused(errors.BadRequest):
    """A form with mistakes.

    ``at``: {name of the field: what is wrong}
    """

    message = "Some fields must be corrected."

    def __init__(self, at: dict[str, str]):
        super().__init__()
        self.at = at


class Fields(dict[str, str]):
    """The fields of a posted form: the last value of each name, and all of them by ``all``."""

    def __init__(self, pairs: typing.Iterable[tuple[str, str]]):
        self._pairs = list(pairs)
        super().__init__(self._pairs)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self._pairs if key == name]


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of a form.

    :param kind: text, area, number, memory (MiB, typed in GiB), choice, many, check, password, hidden
    :param options: of a choice, or of many. A tuple has texts of ours, which are translated; a list has names that others chose
    :param blank: the text of the empty choice, where nothing is a choice too; None: see ``nothing``
    :param low, high: bounds of a number, or of memory in MiB, both included. Memory whose ``low`` is -1 may be -1: unlimited
    :param section: the heading above it, if it begins a section
    :param preset: whether a link to the form may give its value. Any site can have such links, so never what a user must decide.
    :param unfit: options that cannot be chosen, and why
    :param folded: the section that it begins is folded: it is seldom needed
    :param when: "NAME=VALUES": it is shown only while the choice NAME has one of the values, separated by commas. ``style.css``
        has a rule for each of these.
    :param refreshes: a field that depends on this one, and then every field that it depends on
    """

    name: str
    label: str
    kind: str = "text"
    required: bool = False
    help: str = ""
    initial: typing.Any = ""
    options: Options = ()
    blank: str | None = None
    low: int = 0
    high: int = values.INT32
    max_length: int = 255
    rows: int = 4
    section: str = ""
    placeholder: str = ""
    preset: bool = False
    folded: bool = False
    when: str = ""
    unfit: typing.Mapping[str, str] = dataclasses.field(default_factory=dict)
    refreshes: tuple[str, ...] = ()

    def __post_init__(self):
        mark(self, "label", "help", "section", "blank")
        if isinstance(self.options, tuple):
            object.__setattr__(self, "options", tuple((value, Text(text)) for value, text in self.options))

    @property
    def nothing(self) -> str | None:
        """The text of the empty choice; None: there is none. What others made has one unless it is chosen already, so that nobody
        acts on the first of a list without having seen it, and so that an empty list says that it is."""
        if self.blank is not None or self.kind != "choice" or isinstance(self.options, tuple):
            return self.blank
        if not self.options:
            return Text("There are none yet")
        chosen = str(self.initial) in (value for value, _ in self.options) or self.required and len(self.options) == 1
        return None if chosen else Text("Choose one")

    def read(self, given: Fields):
        """The value that was typed: a text, an int or None, a bool, or a list of texts.

        :raises ValueError: with what is wrong
        """
        if self.kind == "many":
            found = given.all(self.name)
            if set(found) - {value for value, _ in self.options}:
                raise ValueError("Choose from the list. It may have changed since this page was opened.")
            if self.required and not found:
                raise ValueError("Choose at least one.")
            return found
        text = given.get(self.name, "")
        if self.kind == "check":
            return text != ""
        if self.kind != "password":
            text = text.replace("\r\n", "\n").strip()
        if not text:
            if self.required:
                raise ValueError("Choose one." if self.kind == "choice" else "This field is required.")
            return None if self.kind in ("number", "memory") else ""
        return self._checked(text)

    def _checked(self, text: str):
        if self.kind == "number":
            try:
                return values.integer(text, self.label, self.low, self.high)
            except errors.BadRequest:
                raise ValueError(Text("Enter a whole number from {low} to {high}.", low=self.low, high=self.high)
                                 if self.high < values.INT32 else Text("Enter a whole number, {low} or more.",
                                                                       low=self.low)) from None
        if self.kind == "memory":
            return self._mib(text)
        if self.kind == "choice" and text not in {value for value, _ in self.options}:
            raise ValueError("Choose from the list. It may have changed since this page was opened.")
        if text in self.unfit:
            raise ValueError(Text("This does not fit: {reason}.", reason=self.unfit[text]))
        if self.kind in ("text", "password", "area") and len(text) > self.max_length:
            raise ValueError(Text("Enter at most {most} characters.", most=self.max_length))
        return text

    def _mib(self, text: str) -> int:
        found = _mib(text)
        if found is not None and (self.low <= found <= self.high if found != -1 else self.low == -1):
            return found
        raise ValueError(Text("Enter an amount of GiB, such as 0.5 or 16, or -1 for unlimited.") if self.low == -1 else Text(
            "Enter an amount of GiB, such as 0.5 or 16, from {low} to {high}.", low=gib(self.low), high=gib(self.high)))

    def typed(self, given: Fields | None):
        """What the field shows: what was typed, or its initial value. Passwords are never shown again."""
        if self.kind == "password":
            return ""
        if given is None:
            return gib(self.initial) if self.kind == "memory" and self.initial not in ("", None) else self.initial
        if self.kind == "many":
            return given.all(self.name)
        return given.get(self.name, "")


_GIB = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def _mib(text: str) -> int | None:
    """An amount of GiB in MiB, -1 as it is, and None for what is neither."""
    if text == "-1":
        return -1
    return round(float(text) * 1024) if _GIB.fullmatch(text) else None


def gib(mib: int) -> str:
    """The shortest number of GiB that is read as this many MiB; -1 as it is."""
    if mib < 0:
        return str(mib)
    texts = (f"{mib / 1024:.{digits}f}" for digits in range(5))
    return next(text for text in texts if _mib(text) == mib)


@dataclasses.dataclass
class Section:
    """The fields of a form beneath one heading; those before the first heading have none."""

    title: str
    folded: bool
    fields: list[Field]


def sections(fields: typing.Iterable[Field]) -> list[Section]:
    found: list[Section] = []
    for field in fields:
        if field.section or not found:
            found.append(Section(field.section, field.folded, []))
        found[-1].fields.append(field)
    return found


def read(fields: typing.Iterable[Field], given: Fields) -> dict[str, typing.Any]:
    """The values of a posted form. :raises Refused: with the mistakes of all fields"""
    found, wrong = {}, {}
    for field in fields:
        try:
            found[field.name] = field.read(given)
        except ValueError as error:
            wrong[field.name] = error.args[0]
    if wrong:
        raise Refused(wrong)
    return found


def pairs(text: str, field: str = "metadata") -> dict[str, str]:
    """The dictionary that was typed as lines ``key=value``. :raises Refused: a line without ``=``"""
    found = {}
    for line in filter(None, (part.strip() for part in text.split("\n"))):
        key, sign, value = line.partition("=")
        if not sign or not key.strip():
            raise Refused({field: Text("“{line}” is not of the form key=value.", line=line[:40])})
        found[key.strip()] = value.strip()
    return found


def lines(text: str) -> list[str]:
    return [part.strip() for part in text.replace(",", "\n").split("\n") if part.strip()]


def named(rows: typing.Iterable[dict], key: str = "id", text: str = "name") -> Options:
    """The options of a choice among resources, by name; those without a name are shown by their id."""
    return sorted(((str(row[key]), str(row.get(text) or row[key])) for row in rows), key=lambda pair: pair[1].lower())
