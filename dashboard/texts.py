"""Texts of the dashboard, which are translated where they are shown."""

import re

# What turns the direction of writing, and would turn the sentence in which a name with it stands.
_TURNS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def isolated(value) -> str:
    """A value as a part of a sentence: what turns the direction of writing ends with it."""
    text = str(value)
    return f"\u2068{text}\u2069" if _TURNS.search(text) else text


def mark(declared, *members: str) -> None:
    """Make members of a declaration texts that are translated."""
    for member in members:
        if isinstance(getattr(declared, member), str):
            object.__setattr__(declared, member, Text(getattr(declared, member)))


class Text(str):
    """A text of ours: in English, until it is shown. Values from elsewhere stand in braces:
    ``Text("{name} was created.", name=name)``.
    """

    message: str
    values: dict

    def __new__(cls, message: str, **values) -> "Text":
        if type(message) is cls and not values:
            return message
        made = super().__new__(cls, message.format_map({k: isolated(v) for k, v in values.items()}) if values else message)
        made.message, made.values = str(message), values
        return made
