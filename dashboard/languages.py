"""The languages of the dashboard: which one a request is answered in, and its translations.

``locale/<language>.po`` has the translations, in gettext's format; ``python -m tests.dashboard.texts`` adds what is new.
"""

import ast
import datetime
import pathlib
import typing

from dashboard.texts import Text, isolated

COOKIE = "language"
NAMES = {"en": "English", "de": "Deutsch", "fr": "Français"}
# How each writes a moment, and numbers.
_MOMENTS = {"en": "%Y-%m-%d %H:%M", "de": "%d.%m.%Y %H:%M", "fr": "%d/%m/%Y %H:%M"}
POINTS = {"en": ".", "de": ",", "fr": ","}
_GROUPS = {"en": ",", "de": ".", "fr": "\u202f"}  # between thousands


def read(text: str) -> dict[str, str]:
    """The translations of a .po file: {English: translated}, those only that there are.

    :raises ValueError: a line that is neither a comment nor a text
    """
    found: dict[str, str] = {}
    parts = {"msgid": "", "msgstr": ""}
    now = ""
    for line in [*text.split("\n"), 'msgid ""']:
        word, _, rest = line.partition(" ")
        if not line or line.startswith("#"):
            continue
        if word in parts:
            if word == "msgid":
                found[parts["msgid"]] = parts["msgstr"]
                parts = {"msgid": "", "msgstr": ""}
            now, line = word, rest
        parts[now] += ast.literal_eval(line)
    return {english: said for english, said in found.items() if english and said}


_FILES = pathlib.Path(__file__).resolve().parent / "locale"
CATALOGS: dict[str, dict[str, str]] = {"en": {}, **{name: read((_FILES / f"{name}.po").read_text()) for name in NAMES
                                                    if name != "en"}}


def of(req) -> str:
    """The language that the user has chosen, or that the browser prefers among ours."""
    chosen = req.cookies.get(COOKIE, "")
    return chosen if chosen in CATALOGS else req.accept_language.lookup(list(NAMES), default="en")


def translated(text: typing.Any, language: str) -> typing.Any:
    """A text in a language. What has no translation, such as a message of an API, stays as it is."""
    catalog = CATALOGS[language]
    if isinstance(text, Text) and text.values:
        values = {name: isolated(translated(value, language) if isinstance(value, Text) else value)
                  for name, value in text.values.items()}
        return catalog.get(text.message, text.message).format_map(values)
    return catalog.get(text, str(text)) if catalog else str(text)


def moment(when: datetime.datetime, language: str) -> str:
    return when.strftime(_MOMENTS[language])


def day(when: datetime.date, language: str) -> str:
    return when.strftime(_MOMENTS[language].partition(" ")[0])


def decimal(number: float, language: str, digits: int = 1) -> str:
    """A number with so many digits after the point."""
    return f"{number:,.{digits}f}".translate({ord("."): POINTS[language], ord(","): _GROUPS[language]})
