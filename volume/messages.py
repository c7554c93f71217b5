"""Shapes of the volume agent's RPC messages."""

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


# What a host reports to attach a volume, and what it needs for that, as in os-brick. The content depends on the driver.
Connector = dict[str, Any]
ConnectionInfo = dict[str, Any]
