"""The host: its libvirt connection and its resources."""

import concurrent.futures
import contextlib
import functools
import logging
import os
import pathlib
import re
import threading
import time

import libvirt

from common import errors, native

LOG = logging.getLogger(__name__)
PID_FILES = ("/run/libvirtd.pid", "/run/virtqemud.pid")


def _quiet(context, error) -> None:
    """Keep libvirt from printing errors to standard error; they are raised anyway."""


libvirt.registerErrorHandler(_quiet, None)


@functools.cache
def _run_events() -> None:
    """Begin to run libvirt's event loop, which sends and awaits the messages that keep connections alive."""
    def run() -> None:
        while True:
            try:
                native.execute(libvirt.virEventRunDefaultImpl)
            except libvirt.libvirtError as error:
                LOG.warning("libvirt's event loop: %s", error)
                time.sleep(1)
    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(target=run, daemon=True, name="libvirt-events").start()


class Connection:
    """A libvirt connection that is reopened after libvirtd restarts."""

    OPEN_S = 5.0  # libvirtd may accept a connection and say nothing

    def __init__(self, uri: str, watched: "WatchedConnection | None" = None):
        """:param watched: to the same libvirtd; while that does not answer there, nothing is begun here"""
        self.uri, self.watched = uri, watched
        self._conn = None
        self._opening: concurrent.futures.Future | None = None
        self._opening_until = 0.0
        self._lock = threading.Lock()

    def get(self):
        """:raises ServiceUnavailable: libvirtd does not answer"""
        if self.watched is not None:
            self.watched.get()
        with self._lock:
            try:
                if self._conn is None or not native.execute(self._conn.isAlive):
                    self._conn = None
                    self._conn = self._opened()
                return self._conn
            except libvirt.libvirtError as error:
                raise _away(error) from error

    def _opened(self):
        """A new connection. One that is being opened is waited for once: it may take as long as libvirtd hangs."""
        if self._opening is None:
            self._opening, self._opening_until = concurrent.futures.Future(), time.monotonic() + self.OPEN_S
            threading.Thread(target=self._open, args=(self._opening,), daemon=True, name="libvirt-open").start()
        opening = self._opening
        try:
            return opening.result(max(0.0, self._opening_until - time.monotonic()))
        except TimeoutError as error:
            raise _away(f"libvirtd has not answered for {self.OPEN_S:.0f} s") from error
        finally:
            if opening.done():
                self._opening = None

    def _open(self, opening: concurrent.futures.Future) -> None:
        try:
            opening.set_result(native.execute(self._connect))
        except BaseException as error:  # thread boundary: raised where it is waited for
            opening.set_exception(error)

    def _connect(self):
        return libvirt.open(self.uri)

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


class WatchedConnection(Connection):
    """One that also ends when libvirtd hangs: it does not answer, and has not ended. Whoever waits for an answer gets an error.

    Only for calls that take a moment: libvirtd reads nothing, neither what keeps a connection alive, while five calls of it are
    in progress.
    """

    EVERY_S, TIMES = 3, 3  # how often libvirtd is asked whether it is there, and how many questions it may leave open

    def _connect(self):
        _run_events()
        made = super()._connect()
        made.setKeepAlive(self.EVERY_S, self.TIMES)
        return made


_GONE = (libvirt.VIR_ERR_RPC, libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_INTERNAL_ERROR)


def _away(why) -> errors.ServiceUnavailable:
    return errors.ServiceUnavailable(part="the hypervisor (libvirtd)", internal=str(why))


def guarded(work, *args):
    """Call libvirt; a lost connection becomes ServiceUnavailable."""
    try:
        return native.execute(work, *args)
    except libvirt.libvirtError as error:
        lost = error.get_error_domain() in (libvirt.VIR_FROM_REMOTE, libvirt.VIR_FROM_RPC)
        if lost and error.get_error_code() in _GONE:
            raise _away(error) from error
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
