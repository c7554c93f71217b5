"""Limits of containers on hosts with control groups of version 2.

There, libvirt gives the files of a container's group to the container's root, so that it may make groups of its own: with them
those of its limits, which it may then lift. libvirt does so at each start, also when the container restarts itself.

Source: Documentation/admin-guide/cgroup-v2 of Linux, "Delegation".
"""

import os
import pathlib
import xml.etree.ElementTree as ET

import libvirt

from compute_agent.virt.libvirt.host import guarded

_GROUPS, _PROCESSES = pathlib.Path("/sys/fs/cgroup"), pathlib.Path("/proc")
_DELEGATED = frozenset(("cgroup.procs", "cgroup.threads", "cgroup.subtree_control"))
_OF_CPU = {"shares": "cpu_shares", "period": "vcpu_period", "quota": "vcpu_quota"}  # as libvirt's functions name them


def take_back(process: int, user: int) -> bool:
    """Take the limits of a container from its root.

    :param process: one of libvirt's for the container; ``user``: of the host, that is the container's root
    :returns: whether it had them, and may have changed them
    :raises OSError: the process has ended, or the host has no control groups
    """
    paths = [line.removeprefix("0::/") for line in (_PROCESSES / str(process) / "cgroup").read_text().splitlines()
             if line.startswith("0::/")]
    found = False
    for path in paths:
        group = _GROUPS / path
        while group != _GROUPS:
            for file in group.iterdir():
                if file.is_file() and file.name not in _DELEGATED and file.stat().st_uid == user:
                    os.chown(file, 0, 0)
                    found = True
            group = group.parent
    return found


def restore(domain) -> None:
    """Limit a running container to what its definition says.

    :raises libvirt.libvirtError: it has ended
    """
    top = ET.fromstring(guarded(domain.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE))
    memory = {name: int(each.text or 0) for name in ("hard_limit", "swap_hard_limit")
              if (each := top.find(f"memtune/{name}")) is not None}
    cpu = {name: int(each.text or 0) for tag, name in _OF_CPU.items() if (each := top.find(f"cputune/{tag}")) is not None}
    if memory:
        guarded(domain.setMemoryParameters, memory, 0)
    if cpu:
        guarded(domain.setSchedulerParameters, cpu)
