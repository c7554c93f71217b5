"""The host: its libvirt connection and its resources."""

import contextlib
import os
import pathlib
import re
import threading

import libvirt

from common import errors, native

PID_FILES = ("/run/libvirtd.pid", "/run/virtqemud.pid")


def _quiet(context, error) -> None:
    """Keep libvirt from printing errors to standard error; they are raised anyway."""


libvirt.registerErrorHandler(_quiet, None)


class Connection:
    """A libvirt connection that is reopened after libvirtd restarts."""

    def __init__(self, uri: str):
        self.uri = uri
        self._conn = None
        self._lock = threading.Lock()

    def get(self):
        """:raises ServiceUnavailable: libvirtd does not answer"""
        with self._lock:
            try:
                if self._conn is not None and native.execute(self._conn.isAlive):
                    return self._conn
                self._conn = native.execute(libvirt.open, self.uri)
                return self._conn
            except libvirt.libvirtError as error:
                self._conn = None
                raise errors.ServiceUnavailable(part="the hypervisor (libvirtd)", internal=str(error)) from error

    def generation(self) -> str:
        """Identifies the kernel's boot and the libvirtd process; changes after a reboot or a restart of libvirtd."""
        self.get()
        found = [pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()]
        for pid_file in PID_FILES:
            with contextlib.suppress(OSError, ValueError, IndexError):
                pid = int(pathlib.Path(pid_file).read_text())
                # Field 22 of proc(5): when the process started, in ticks after the boot.
                found.append(f"{pid}@{pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]}")
        return " ".join(found)

    def call(self, method: str, *args):
        """Call a method of the connection."""
        conn = self.get()
        return guarded(getattr(conn, method), *args)

    def domain(self, uuid: str):
        """The domain, or None."""
        try:
            return self.call("lookupByUUIDString", uuid)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                return None
            raise


_GONE = (libvirt.VIR_ERR_RPC, libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_INTERNAL_ERROR)


def guarded(work, *args):
    """Call libvirt; a lost connection becomes ServiceUnavailable."""
    try:
        return native.execute(work, *args)
    except libvirt.libvirtError as error:
        lost = error.get_error_domain() in (libvirt.VIR_FROM_REMOTE, libvirt.VIR_FROM_RPC)
        if lost and error.get_error_code() in _GONE:
            raise errors.ServiceUnavailable(part="the hypervisor (libvirtd)", internal=str(error)) from error
        raise


def resources(conf, virt_type: str, instances_path) -> dict:
    """The host's resources, for schedulers and the hypervisors API, without those that libvirt tells."""
    memory_kib = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1])  # type: ignore[index]
    disk = os.statvfs(instances_path)
    model, vendor, flags = "", "", list[str]()
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name") and not model:
            model = line.split(":", 1)[1].strip()
        elif line.startswith("vendor_id") and not vendor:
            vendor = line.split(":", 1)[1].strip()
        elif line.startswith("flags") and not flags and virt_type == "kvm":  # an emulated CPU has its own
            flags = sorted(line.split(":", 1)[1].split())
    cpus = os.cpu_count() or 1
    return {"hypervisor_hostname": conf.host, "vcpus": cpus, "memory_mb": memory_kib // 1024,
            "local_gb": disk.f_blocks * disk.f_frsize >> 30, "facts": {
                "hypervisor_type": virt_type.upper(), "arch": "x86_64", "host_ip": conf.my_ip,
                "hypervisor_version": 0, "disk_free_gb": disk.f_bavail * disk.f_frsize >> 30,
                "cpu_info": {"arch": "x86_64", "model": model, "vendor": vendor, "features": flags,
                             "topology": {"sockets": 1, "cores": cpus, "threads": 1}}}}
