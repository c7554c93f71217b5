"""Shapes of what volume agents are asked and answer."""

from typing import Any, TypedDict

from common.messages import Id


class JournalInventory(TypedDict):
    """``unfinished``: {key: seconds since its last step began}."""

    unfinished: dict[str, float]
    broken: list[str]


class Inventory(TypedDict):
    """``sizes`` in GiB; ``exports`` are ids of volumes."""

    volumes: list[Id]
    sizes: dict[str, int]
    snapshots: list[Id]
    exports: list[Id]
    journal: JournalInventory


# What a host says of itself to reach a volume, and what it needs to reach it, as os-brick has them: a driver's matter.
Connector = dict[str, Any]
ConnectionInfo = dict[str, Any]
