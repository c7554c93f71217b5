"""Shapes of what compute agents are asked and answer."""

from typing import Any, Literal, TypedDict

from common.messages import Id

PowerAction = Literal["start", "stop", "reboot", "reboot-hard", "pause", "unpause", "suspend", "resume", "rebuild", "rescue",
                      "unrescue"]


class Guest(TypedDict):
    """``owner`` is [cloud id, host], both empty where the guest does not say."""

    power: int
    volumes: list[Id]
    owner: list[str]


class JournalInventory(TypedDict):
    """``unfinished``: {key: seconds since its last step began}."""

    unfinished: dict[str, float]
    broken: list[str]


class Inventory(TypedDict):
    guests: dict[str, Guest]
    directories: list[str]
    journal: JournalInventory


# A port, as the network service's API shows it.
ApiPort = dict[str, Any]
