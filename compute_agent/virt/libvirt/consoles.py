"""Opens the consoles of a domain."""

import os
import re
import xml.etree.ElementTree as ET

import libvirt

from common import errors
from compute_agent.virt.libvirt.host import guarded

_PTY = re.compile("/dev/pts/[0-9]+")


def open_vnc(domain) -> int:
    """A socket that is connected to QEMU's VNC server, which does not listen."""
    return guarded(domain.openGraphicsFD, 0, libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)


def open_serial(domain, user: tuple[int, int] | None) -> int:
    """The pty of the first serial port. libvirt logs the guest's output whether the pty is open or not.

    :param user: (user, group) ids of the guest's QEMU; None: chosen by libvirt
    :raises StepFailed: there is no pty
    """
    source = ET.fromstring(guarded(domain.XMLDesc, 0)).find("./devices/serial[@type='pty']/source")
    path = source.get("path", "") if source is not None else ""
    if not _PTY.fullmatch(path):
        raise errors.StepFailed(reason="The guest has no serial console.")
    handle = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    if user and os.fstat(handle).st_uid != user[0]:  # the number has been reused for another pty
        os.close(handle)
        raise errors.StepFailed(reason="The guest has no serial console.")
    return handle
