"""The host's ends of containers' interfaces.

The network agent makes a tap for each port, with the port's filters by its name. A container needs one end of a pair instead,
which ends with the container. libvirt makes it when the container starts, with the tap's name, in the tap's place; so the
filters, which are loaded before the tap is there, hold for it. A container whose taps are not there is not started.
"""

import os
import pathlib
import subprocess

from common import errors

_UP = 1  # IFF_UP of linux/if.h
_NETWORK, _IPV6 = pathlib.Path("/sys/class/net"), pathlib.Path("/proc/sys/net/ipv6/conf")


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
    if done.returncode:
        raise errors.StepFailed(reason="The host's network could not be changed.", internal=done.stderr.strip())


def exists(tap: str) -> bool:
    return (_NETWORK / tap).exists()


def bridge_of(tap: str) -> str:
    """The bridge that a tap is part of. :raises StepFailed: the tap is not there, or in no bridge"""
    try:
        return os.path.basename(os.readlink(_NETWORK / tap / "master"))
    except OSError as error:
        raise errors.StepFailed(reason="A port of the server is not plugged on its host.", internal=str(error)) from error


def is_down(tap: str) -> bool:
    """Whether the network agent has taken a port out of use, whose administrative state is down."""
    try:
        return not int((_NETWORK / tap / "flags").read_text(), 16) & _UP
    except OSError:
        return False


def remove(tap: str) -> None:
    if exists(tap):
        _ip("link", "delete", tap)


def set_up(tap: str, mtu: int | None, *, down: bool = False) -> None:
    """Make an end that libvirt made, and brought up, like a tap of the network agent. ``down``: as of ``is_down``"""
    if down:
        _ip("link", "set", tap, "down")
    if mtu:
        _ip("link", "set", tap, "mtu", str(mtu))
    setting = _IPV6 / tap / "disable_ipv6"
    if setting.exists():
        setting.write_text("1")
