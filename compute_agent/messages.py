"""Shapes of the compute agent's RPC messages."""

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from common.messages import Added, Count, Id, Text

PowerAction = Literal["start", "stop", "reboot", "reboot-hard", "pause", "unpause", "suspend", "resume", "rebuild", "rescue",
                      "unrescue", "soft-delete", "restore"]


class Guest(TypedDict):
    """``owner`` is [cloud id, host], both empty if the guest's metadata does not name one."""

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


# A port as the network API shows it.
ApiPort = dict[str, Any]


class Disks(TypedDict):
    """The files that make up a guest's disks, by the names under which they are offered; None if there is none.

    ``disk`` is the guest's own root disk, ``base`` its backing image, or the root itself if that is a CD; ``local`` are its
    ephemeral disks.
    """

    disk: str | None
    format: str | None
    cdrom: bool
    base: str | None
    kernel: str | None
    ramdisk: str | None
    cmdline: str | None
    local: NotRequired[Annotated[list[str], Added("1.5")]]


class MemoryUse(TypedDict):
    """In KiB. ``maximum``: what the guest may have; ``used``: what it has at present."""

    maximum: int
    used: int


class CpuUse(TypedDict):
    """``time`` in nanoseconds."""

    id: int
    time: int


class DiskUse(TypedDict):
    """-1: not known."""

    device: str
    read_bytes: int
    read_requests: int
    write_bytes: int
    write_requests: int
    errors_count: int


class NicUse(TypedDict):
    """-1: not known."""

    device: str
    mac_address: str | None
    rx_octets: int
    rx_packets: int
    rx_errors: int
    rx_drop: int
    tx_octets: int
    tx_packets: int
    tx_errors: int
    tx_drop: int


class CpuPlace(TypedDict):
    vcpu: int
    cpu: int


class Placement(TypedDict):
    """``cells``: the host's NUMA node of each node of the guest, [] if it is bound to none; ``cpus``: those of the host that the
    guest has for itself."""

    cells: list[int]
    cpus: list[CpuPlace]


class Diagnostics(TypedDict):
    """What a running guest has used since it was started. ``memory_stats`` are libvirt's, most of them in KiB."""

    driver: str
    hypervisor: str
    hypervisor_os: str
    memory_kb: MemoryUse
    memory_stats: dict[str, int]
    cpus: list[CpuUse]
    disks: list[DiskUse]
    nics: list[NicUse]


# Whether a password was set: yes, the guest is off, it has no agent that answers, or the agent refused.
PasswordResult = Literal["set", "not running", "no agent", "refused"]
ConsoleKind = Literal["vnc", "serial"]


class Offer(TypedDict):
    """A TLS port for one other host, which fetches files or uses a console there: the token that it must present, and the
    certificate (PEM) that it must accept."""

    address: str
    port: int
    token: str
    certificate: Text


class OfferedDisks(TypedDict):
    """Of a running guest, ``guest`` is its definition, ``disk_bytes`` the size of its disk, which is not offered, and
    ``config_drive`` says whether that is.

    ``ports``: the ids of the guest's ports. ``sizes``: {name of a file that is offered: bytes}. ``takes_over``: this host may be
    told that the guest is expected (``guest_expected``). Each is missing from a host of an earlier release."""

    disks: Disks
    offer: Offer
    sizes: NotRequired[Annotated[dict[str, Count], Added("1.3")]]
    guest: NotRequired[Annotated[Text, Added("1.7")]]
    disk_bytes: NotRequired[Annotated[Count, Added("1.7")]]
    config_drive: NotRequired[Annotated[bool, Added("1.7")]]
    ports: NotRequired[Annotated[list[Id], Added("1.11")]]
    takes_over: NotRequired[Annotated[bool, Added("1.12")]]


class IncomingMigration(TypedDict):
    """Where a guest is to be migrated to; ``guest``: what the hypervisor of the source must know of it there."""

    offer: Offer
    guest: Text
