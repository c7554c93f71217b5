"""The definition of a container."""

import dataclasses

from common import guest_hardware
from compute_agent.virt.libvirt.elements import element, text_of
from compute_agent.virt.libvirt.xml import begun, on_events, tap_of
from compute_agent.virt.lxc.namespaces import USERS

INIT = "/sbin/init"
# Where cloud-init looks for a config drive that is a directory.
CONFIG = "/var/lib/cloud/seed/config_drive"
PERIOD_US = 100_000


@dataclasses.dataclass(frozen=True)
class Host:
    """What a container's definition takes from its host.

    :param owner: (cloud id, host), by which a host recognises its guests
    :param first_user: the host's user that is the container's root
    :param root: directory that is the container's ``/``; ``config``: that of its config drive, or None
    :param limits_cpu: whether the host can limit the CPU time of containers
    """

    owner: tuple[str, str]
    first_user: int
    root: str
    config: str | None
    limits_cpu: bool


def domain(instance: dict, hardware: guest_hardware.Hardware, host: Host, interfaces: list) -> str:
    """:param interfaces: [(port, bridge)]"""
    top = begun("lxc", instance, host.owner)
    # The memory of a container includes what the kernel needs for it.
    tune = element(top, "memtune")
    for name in ("hard_limit", "swap_hard_limit"):
        element(tune, name, str(instance["memory_mb"]), unit="MiB")
    if host.limits_cpu:
        _limit_cpu(top, instance["vcpus"], hardware.tuning)
    os = element(top, "os")
    element(os, "type", "exe", arch="x86_64")
    element(os, "init", INIT)
    users = element(top, "idmap")
    for kind in ("uid", "gid"):
        element(users, kind, start=0, target=host.first_user, count=USERS)
    element(element(top, "features"), "privnet")
    on_events(top)
    devices = element(top, "devices")
    _directory(devices, host.root, "/")
    if host.config:
        element(_directory(devices, host.config, CONFIG), "readonly")
    for port, bridge in interfaces:
        interface(devices, port, bridge)
    element(devices, "console", type_="pty")
    return text_of(top)


def _limit_cpu(top, vcpus: int, tuning: dict) -> None:
    """A container sees all CPUs of its host, and gets the time of as many as its flavor has. A quota is that of one CPU."""
    made, period = element(top, "cputune"), int(tuning.get("period", PERIOD_US))
    if "shares" in tuning:
        element(made, "shares", str(tuning["shares"]))
    element(made, "period", str(period))
    element(made, "quota", str(vcpus * int(tuning.get("quota", period))))


def _directory(devices, source: str, target: str):
    made = element(devices, "filesystem", type_="mount", accessmode="passthrough")
    element(made, "source", dir=source)
    element(made, "target", dir=target)
    return made


def interface(parent, port: dict, bridge: str):
    """A pair of Ethernet devices, of which libvirt makes the host's end part of the bridge whenever the container is started."""
    made = element(parent, "interface", type_="bridge")
    element(made, "mac", address=port["mac_address"])
    element(made, "source", bridge=bridge)
    element(made, "target", dev=tap_of(port))
    element(made, "mtu", size=port.get("mtu"))
    return made
