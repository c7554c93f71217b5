"""Live migration by libvirt, whose connections all go through a tunnel of the agents.

libvirt and QEMU of both hosts use Unix sockets: libvirtd of the source reaches that of the target at one, QEMU sends the guest's
memory to a second and its disk to a third. The paths are the same on both hosts, as libvirt wants it.
"""

import functools
import os
import pathlib
import pwd
import shutil
import socket
import threading
import typing
import xml.etree.ElementTree as ET
from collections.abc import Callable

import libvirt

from common import errors
from compute_agent.live import ABORT, FORCE
from compute_agent.tunnel import Channel, Channels, Tunnel
from compute_agent.virt.libvirt import gate
from compute_agent.virt.libvirt.files import Files, qemu_img
from compute_agent.virt.libvirt.host import Connection, guarded
from compute_agent.virt.libvirt.users import Users

SOCKETS = pathlib.Path("/run/pileus-migrations")
LIBVIRT, MEMORY, DISKS = "libvirt", "memory", "disks"  # channels, and names of sockets
_DAEMONS = ("/run/libvirt/virtqemud-sock", "/run/libvirt/libvirt-sock")
_USERS = ("libvirt-qemu", "qemu")  # whom QEMU runs as where guests have no users of their own
LOOK_S = 0.1
_PROGRESS = {"memory_total": "memory_total", "memory_processed": "memory_processed", "memory_remaining": "memory_remaining",
             "disk_total": "disk_total", "disk_processed": "disk_processed", "disk_remaining": "disk_remaining"}
_CPU = """Unacceptable CPU info: CPU doesn't have compatibility.

{}

Refer to http://libvirt.org/html/libvirt-libvirt-host.html#virCPUCompareResult"""


def _connect(*paths: str) -> socket.socket:
    """A connection to the first of these sockets that exists."""
    made = socket.socket(socket.AF_UNIX)
    try:
        made.connect(next((p for p in paths if os.path.exists(p)), paths[-1]))
    except BaseException:
        made.close()
        raise
    return made


def _uri(home: pathlib.Path, name: str) -> str:
    return f"unix://{home / name}"


def destination(guest: str, own: str) -> str:
    """The definition with which a guest arrives: its devices and addresses as on the source, and everything that is the host's
    (files, volumes, users, the owner) as this host would define it.

    :param guest: the definition of the running guest on the source
    :param own: that of this host for the same server
    """
    top, here = ET.fromstring(guest), ET.fromstring(own)
    for tag in ("metadata", "seclabel", "cputune", "numatune"):
        for each in top.findall(tag):
            top.remove(each)
        top.extend(here.findall(tag))
    for tag in ("kernel", "initrd", "cmdline", "loader", "nvram"):
        found, wanted = top.find(f"os/{tag}"), here.find(f"os/{tag}")
        if found is not None and wanted is not None:
            found.text, found.attrib = wanted.text, dict(wanted.attrib)
    disks = {_device(disk): disk for disk in here.iterfind("devices/disk")}
    for disk in top.iterfind("devices/disk"):
        wanted = disks.get(_device(disk))
        if wanted is None:
            raise errors.StepFailed(reason=f"The guest has a disk {_device(disk)} that its server does not have.")
        for tag in ("source", "auth", "backingStore"):
            for each in disk.findall(tag):
                disk.remove(each)
            disk.extend(wanted.findall(tag))
    log = here.find("devices/serial/log")
    for found in [*top.iterfind("devices/serial/log"), *top.iterfind("devices/console/log")]:
        if log is not None:
            found.set("file", log.get("file", ""))
    return ET.tostring(top, encoding="unicode")


def _device(disk: ET.Element) -> str:
    target = disk.find("target")
    return "" if target is None else target.get("dev", "")


class LiveMigration:
    """Part of ``LibvirtDriver``."""

    conf: typing.Any
    connection: Connection
    files: Files
    users: Users
    virt_type: str
    _domain: Callable
    _failure: Callable
    _xml: Callable
    _start_tpm: Callable[[str], None]
    renew_secrets: Callable

    def describe_guest(self, uuid):
        guest = guarded(self._domain(uuid).XMLDesc, libvirt.VIR_DOMAIN_XML_MIGRATABLE)
        disks = self.files.exported(uuid)
        drive = self.files.directory(uuid) / "disk.config"
        has_drive = any(s.get("file") == str(drive) for s in ET.fromstring(guest).iterfind("devices/disk/source"))
        return {"guest": guest, "disks": disks, "disk_bytes": self.files.virtual_bytes(uuid) if disks["disk"] else 0,
                "config_drive": str(drive) if has_drive else None}

    def prepare_incoming(self, instance, offered, cached, ports, volumes):
        uuid, disks = instance["uuid"], offered["disks"]
        self._check_cpu(offered["guest"])
        part = self.files.begin_import(uuid)
        if disks["disk"]:
            base = cached["base"]
            part.unlink(missing_ok=True)
            qemu_img("create", "-q", "-f", "qcow2", "-F", "qcow2" if base.endswith(".qcow2") else "raw", "-b", base, str(part),
                     str(offered["disk_bytes"]))
        self.files.imported(instance, disks, cached)
        drive = str(self.files.directory(uuid) / "disk.config") if offered["config_drive"] else None
        self.renew_secrets(volumes)
        self.users.admit()
        self.files.give(uuid, drive)
        own = self._xml(instance, ports, volumes, drive)
        try:
            domain = self.connection.call("defineXML", own)
            complete = guarded(domain.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE)
        except libvirt.libvirtError as error:
            raise self._failure("The guest could not be defined", error) from error
        arriving = destination(offered["guest"], complete)
        if foreign := gate.foreign(arriving, complete):
            raise errors.StepFailed(reason="The guest uses what its server does not have.", internal=str(foreign))
        self._arriving(uuid).write_text(arriving)

    def _arriving(self, uuid: str) -> pathlib.Path:
        return self.files.directory(uuid) / "arriving.xml"

    def _check_cpu(self, guest: str) -> None:
        """:raises StepFailed: this host's CPU lacks what the guest uses. An emulated CPU is the same everywhere."""
        cpu = ET.fromstring(guest).find("cpu")
        if self.virt_type != "kvm" or cpu is None or cpu.get("mode") != "custom":
            return
        try:
            found = self.connection.call("compareHypervisorCPU", None, None, None, "kvm", ET.tostring(cpu, encoding="unicode"), 0)
        except libvirt.libvirtError as error:
            raise self._failure("The CPU of the guest could not be compared", error) from error
        if found in (libvirt.VIR_CPU_COMPARE_ERROR, libvirt.VIR_CPU_COMPARE_INCOMPATIBLE):
            raise errors.StepFailed(reason=_CPU.format(found))

    def open_incoming(self, instance) -> tuple[str, Channels]:
        self._start_tpm(instance["uuid"])
        home = self._sockets(instance["uuid"])
        os.chown(home, *self._qemu_user(instance["uuid"]))
        home.chmod(0o700)
        guest = self._arriving(instance["uuid"]).read_text()
        uris = {libvirt.VIR_MIGRATE_PARAM_URI: _uri(home, MEMORY), libvirt.VIR_MIGRATE_PARAM_DISKS_URI: _uri(home, DISKS)}
        return guest, {
            LIBVIRT: Channel(functools.partial(_connect, *_DAEMONS), lambda: gate.Gate(guest, uris).passes),
            **{name: Channel(functools.partial(_connect, str(home / name))) for name in (MEMORY, DISKS)}}

    def _qemu_user(self, uuid: str) -> tuple[int, int]:
        """Whom the guest's QEMU runs as."""
        known = {user.pw_name: user for user in pwd.getpwall()}
        named = next((known[name] for name in _USERS if name in known), None)
        return self.users.of(uuid) or ((named.pw_uid, named.pw_gid) if named else (0, 0))

    @staticmethod
    def _sockets(uuid: str) -> pathlib.Path:
        """An empty directory for the sockets of one migration."""
        SOCKETS.mkdir(mode=0o711, exist_ok=True)
        SOCKETS.chmod(0o711)
        home = SOCKETS / uuid
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(mode=0o711)
        home.chmod(0o711)
        return home

    def arrived(self, uuid):
        shutil.rmtree(SOCKETS / uuid, ignore_errors=True)
        self._arriving(uuid).unlink(missing_ok=True)

    def migrate(self, uuid, guest, tunnel: Tunnel, watch):
        domain, home = self._domain(uuid), self._sockets(uuid)
        owner = self._qemu_user(uuid)[0]
        tunnel.listen(LIBVIRT, str(home / LIBVIRT), checked=lambda: gate.Replies(_uri(home, MEMORY)).passes)
        tunnel.listen(MEMORY, str(home / MEMORY))
        tunnel.listen(DISKS, str(home / DISKS), owner)
        try:
            self._follow(domain, self._start(domain, guest, home), watch)
        finally:
            shutil.rmtree(home, ignore_errors=True)

    def _start(self, domain, guest: str, home: pathlib.Path) -> "_Running":
        options = self.conf.libvirt
        flags = (libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER | libvirt.VIR_MIGRATE_PAUSED
                 | libvirt.VIR_MIGRATE_ABORT_ON_ERROR)
        if options.live_migration_permit_auto_converge:
            flags |= libvirt.VIR_MIGRATE_AUTO_CONVERGE
        parameters: dict = {libvirt.VIR_MIGRATE_PARAM_URI: _uri(home, MEMORY), libvirt.VIR_MIGRATE_PARAM_DEST_XML: guest}
        if options.live_migration_bandwidth:
            parameters[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH] = options.live_migration_bandwidth
        own = [_device(disk) for disk in ET.fromstring(guest).iterfind("devices/disk")
               if disk.get("type") == "file" and disk.find("readonly") is None]
        if own:
            flags |= libvirt.VIR_MIGRATE_NON_SHARED_INC
            parameters |= {libvirt.VIR_MIGRATE_PARAM_DISKS_URI: _uri(home, DISKS),
                           libvirt.VIR_MIGRATE_PARAM_MIGRATE_DISKS: own}
        return _Running(lambda: guarded(domain.migrateToURI3, f"qemu+unix:///system?socket={home / LIBVIRT}", parameters, flags))

    def _follow(self, domain, running: "_Running", watch) -> None:
        """Until the migration has ended.

        :raises StepFailed: it failed, and the guest is where it was
        """
        limited = forced = False
        while not running.ended.wait(LOOK_S):
            try:
                limited = limited or self._limit_downtime(domain)
                stats = guarded(domain.jobStats)
                wanted = watch({name: int(stats.get(key, 0)) for name, key in _PROGRESS.items()})
                if wanted == ABORT:
                    guarded(domain.abortJob)
                elif wanted == FORCE and not forced:
                    forced = True
                    guarded(domain.suspend)
            except libvirt.libvirtError:  # it has just ended, or is about to and cannot be changed any more
                running.ended.wait(LOOK_S)
        if isinstance(running.error, errors.ServiceUnavailable):
            guarded(domain.isActive)  # raises the same, unless it was the other host's libvirtd that broke off
        if isinstance(running.error, (libvirt.libvirtError, errors.ServiceUnavailable)):
            raise self._failure("The guest could not be migrated", running.error) from running.error
        if running.error is not None:
            raise running.error

    def _limit_downtime(self, domain) -> bool:
        try:
            guarded(domain.migrateSetMaxDowntime, self.conf.libvirt.live_migration_downtime, 0)
        except libvirt.libvirtError:  # not yet
            return False
        return True


class _Running:
    """A migration in a thread of its own. ``error``: why it failed, once it has ended."""

    def __init__(self, work: Callable[[], object]):
        self._work, self.ended = work, threading.Event()
        self.error: BaseException | None = None
        threading.Thread(target=self._run, daemon=True, name="migration").start()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # thread boundary: raised where it is waited for
            self.error = error
        finally:
            self.ended.set()
