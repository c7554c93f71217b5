"""Limits of containers that libvirt does not keep, or not well.

It does not limit how many processes a container has. With control groups of version 1 the agent makes a group for that; with
version 2 it uses libvirt's own for the container.

With control groups of version 2, libvirt gives the files of a container's group to the container's root, so that it may make
groups of its own: with them those of its limits, which it may then lift. libvirt does so at each start, also when the container
restarts itself.

Source: Documentation/admin-guide/cgroup-v2 of Linux, "Delegation".
"""

import contextlib
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
    :raises OSError: the process has ended
    """
    paths = [line.removeprefix("0::/") for line in (_PROCESSES / str(process) / "cgroup").read_text().splitlines()
             if line.startswith("0::/")]
    found = False
    for path in paths:
        group = _GROUPS / path
        if not group.is_dir():  # both versions are there, and the limits are of the first
            continue
        while group != _GROUPS:
            for file in group.iterdir():
                if file.is_file() and file.name not in _DELEGATED and file.stat().st_uid == user:
                    os.chown(file, 0, 0)
                    found = True
            group = group.parent
    return found


def limit_processes(process: int, uuid: str, most: int) -> None:
    """Limit how many processes and threads a running container may have.

    :param process: as of ``take_back``
    :raises OSError: the process has ended, or the host cannot limit them
    """
    lines = [line.split(":", 2) for line in (_PROCESSES / str(process) / "cgroup").read_text().splitlines()]
    paths = {kind: path.lstrip("/") for _, kinds, path in lines for kind in kinds.split(",")}
    if "pids" not in paths:
        _limit_of_libvirt(pathlib.Path(paths[""]), most)
        return
    group = _own_group(uuid)
    group.mkdir(parents=True, exist_ok=True)
    (group / "pids.max").write_text(str(most))
    moved: set[str] = set()
    while new := set((_GROUPS / "memory" / paths["memory"] / "cgroup.procs").read_text().split()) - moved:
        for each in new:
            with contextlib.suppress(ProcessLookupError):
                (group / "cgroup.procs").write_text(each)
        moved |= new


def _limit_of_libvirt(path: pathlib.Path, most: int) -> None:
    parts = path.parts
    own = next((number for number, name in enumerate(parts, 1) if "lxc" in name), None)
    if own is None:
        raise FileNotFoundError(f"no control group of a container in {path}")
    for number in range(own):
        (_GROUPS.joinpath(*parts[:number]) / "cgroup.subtree_control").write_text("+pids")
    (_GROUPS.joinpath(*parts[:own]) / "pids.max").write_text(str(most))


def _own_group(uuid: str) -> pathlib.Path:
    return _GROUPS / "pids" / "pileus-containers" / uuid


def forget(uuid: str) -> None:
    """Remove what ``limit_processes`` has made for a container that has ended."""
    with contextlib.suppress(OSError):  # there is none
        _own_group(uuid).rmdir()


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
