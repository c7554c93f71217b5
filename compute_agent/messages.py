"""Shapes of what compute agents are asked and answer."""

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from common.messages import Added, Count, Id, Text

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


class Disks(TypedDict):
    """What a guest's root disk is made of: names of files that are offered; None where there is none.

    ``disk`` is its own, ``base`` is what that is based on, or the root itself where it is a CD.
    """

    disk: str | None
    format: str | None
    cdrom: bool
    base: str | None
    kernel: str | None
    ramdisk: str | None
    cmdline: str | None


class Offer(TypedDict):
    """Where another host fetches files from: what it must show, and the certificate (PEM) that it must be shown."""

    address: str
    port: int
    token: str
    certificate: Text


class OfferedDisks(TypedDict):
    """``sizes``: {name of a file that is offered: bytes}; without it from a host of the release before."""

    disks: Disks
    offer: Offer
    sizes: NotRequired[Annotated[dict[str, Count], Added("1.3")]]
