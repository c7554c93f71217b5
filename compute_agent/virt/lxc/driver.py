"""The driver of containers: libvirt's LXC driver, with a user namespace and a disk of its own for each container."""

import collections.abc
import contextlib
import logging
import xml.etree.ElementTree as ET

import libvirt

from common import errors, guest_hardware, guest_needs, server_states
from compute_agent.virt.libvirt import diagnostics
from compute_agent.virt.libvirt.capabilities import cpu_controller
from compute_agent.virt.libvirt.elements import text_of
from compute_agent.virt.libvirt.guests import CONSOLE_BYTES, Guests
from compute_agent.virt.libvirt.host import guarded
from compute_agent.virt.libvirt.xml import tap_of
from compute_agent.virt.lxc import limits, links, xml
from compute_agent.virt.lxc.console_logs import ConsoleLogs
from compute_agent.virt.lxc.disks import Disks

LOG = logging.getLogger(__name__)
URI = "lxc:///system"
# What makes the kinds of init power off, each of which ignores those of the others: systemd (SIGRTMIN+4; numbers of the C library
# are two more than the kernel's), BusyBox, and System V's by its inittab.
_POWER_OFF = (libvirt.VIR_DOMAIN_PROCESS_SIGNAL_RT6, libvirt.VIR_DOMAIN_PROCESS_SIGNAL_USR2,
              libvirt.VIR_DOMAIN_PROCESS_SIGNAL_PWR)
_NOTHING: dict[str, bool] = {}


def _refused(what: str) -> collections.abc.Callable:
    """A method that refuses what containers cannot do."""
    def refuse(self, *args, **named):
        raise errors.StepFailed(reason=f"A container cannot {what}.")
    return refuse


class LxcDriver(Guests):
    unsupported = frozenset((guest_needs.VOLUMES, guest_needs.LOCAL_DISKS, guest_needs.SUSPEND, guest_needs.RESCUE,
                             guest_needs.RESIZE, guest_needs.LIVE_MIGRATION, guest_needs.CRASH_DUMP, guest_needs.CONSOLES))
    virt_type = "lxc"
    keeps_taps = False
    ask_again_s = 1.0

    def __init__(self, conf):
        super().__init__(conf, URI)
        options = conf.libvirt
        self.disks = Disks(self.path, conf.state_path, options.container_uid_first, options.container_count)
        self.logs = ConsoleLogs(CONSOLE_BYTES)
        self._limits_cpu, self._most_processes = cpu_controller(), options.container_processes
        LOG.info("guests run in containers")

    def _able(self):
        return {"features": [guest_needs.CPU_TUNING] if self._limits_cpu else [], "amounts": {}}

    def prepare_disk(self, instance, image_files, injection=None):
        if not image_files:
            raise errors.StepFailed(reason="A container cannot boot from a volume.")
        if instance["flavor"].get("local_disks"):
            raise errors.StepFailed(reason="A container cannot have ephemeral or swap disks.")
        if injection:
            raise errors.StepFailed(reason="A container cannot have files injected; it can have a config drive.")
        self.disks.prepare(instance, image_files["image"])

    def spawn(self, instance, ports, volumes, config_drive, *, running=True):
        uuid = instance["uuid"]
        if volumes:
            raise errors.StepFailed(reason="A container cannot have volumes.")
        try:
            hardware = guest_hardware.of_server(instance)
        except errors.BadRequest as error:
            raise errors.StepFailed(reason=str(error)) from error
        if self.connection.domain(uuid) is not None:  # an earlier run of this step defined it, when the taps were there
            if running:
                self.power_on(uuid)
            return
        has_config = self.disks.write_config(uuid, config_drive)
        host = xml.Host((self.conf.cloud_id, self.conf.host), self.disks.first_user(uuid), str(self.disks.root(uuid)),
                        str(self.disks.config(uuid)) if has_config else None, self._limits_cpu)
        self._define(xml.domain(instance, hardware, host, [(port, links.bridge_of(tap_of(port))) for port in ports]),
                     running=running)

    def _power_up(self, domain, uuid, kept: collections.abc.Mapping[str, bool] = _NOTHING) -> None:
        """:param kept: {tap that was there a moment ago, and ended with the container: whether it was down}"""
        found = ET.fromstring(guarded(domain.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE)).findall("./devices/interface")
        taps = {_attribute(each, "target", "dev"): each for each in found}
        for tap in taps.keys() - kept.keys():
            links.bridge_of(tap)
        down = {**{tap: links.is_down(tap) for tap in taps}, **kept}
        self.disks.mount(uuid)
        for tap in taps:
            links.remove(tap)
        guarded(domain.create)
        self._keep_limits(domain, uuid)
        for tap, each in taps.items():
            links.set_up(tap, int(_attribute(each, "mtu", "size") or 0) or None, down=down[tap])
        self._follow(uuid)

    def _keep_limits(self, domain, uuid: str) -> None:
        try:
            process = guarded(domain.ID)
            if limits.take_back(process, self.disks.first_user(uuid)):
                limits.restore(domain)
            limits.limit_processes(process, uuid, self._most_processes)
        except (libvirt.libvirtError, OSError) as error:
            LOG.warning("the limits of instance %s are perhaps not those that it should have: %s", uuid, error)

    def _taps(self, uuid: str) -> list[str]:
        """Those of its interfaces that are there."""
        found = ET.fromstring(guarded(self._domain(uuid).XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE))
        return [tap for each in found.iterfind("./devices/interface") if links.exists(tap := _attribute(each, "target", "dev"))]

    def _follow(self, uuid: str) -> None:
        try:
            console = ET.fromstring(guarded(self._domain(uuid).XMLDesc, 0)).find("./devices/console/source")
            if console is not None:
                self.logs.follow(uuid, console.get("path", ""), self._console_log(uuid))
        except (libvirt.libvirtError, errors.StepFailed) as error:
            LOG.debug("instance %s has no console: %s", uuid, error)

    def shut_down(self, domain):
        try:
            for signal in _POWER_OFF:
                guarded(domain.sendProcessSignal, 1, signal, 0)
        except libvirt.libvirtError as error:  # the container has just begun, or ended
            LOG.debug("a container's init was not signalled: %s", error)

    def _stop(self, domain):
        # All else in the container ends with its init. libvirt would ask each process first, and wait 1.6 s.
        with contextlib.suppress(libvirt.libvirtError):
            guarded(domain.sendProcessSignal, 1, libvirt.VIR_DOMAIN_PROCESS_SIGNAL_KILL, 0)
        guarded(domain.destroy)

    def reboot(self, uuid, *, timeout_s, is_cancelled=lambda: False):
        kept = {tap: links.is_down(tap) for tap in self._taps(uuid)}
        self.power_off(uuid, timeout_s=timeout_s, is_cancelled=is_cancelled)
        try:
            domain = self._domain(uuid)
            if not guarded(domain.isActive):
                self._power_up(domain, uuid, kept)
        except libvirt.libvirtError as error:
            raise self._failure("The guest could not be started", error) from error

    def destroy(self, uuid):
        self._undefine(uuid)
        limits.forget(uuid)
        self.disks.unmount(uuid)

    def remove_files(self, uuid):
        self.disks.remove(uuid)

    def snapshot(self, uuid, target):
        self.disks.copy(uuid, target)

    def quiesce(self, uuid):
        self._domain(uuid)  # ``snapshot`` has the kernel write the disk, which asks the container for nothing

    def unquiesce(self, uuid):
        self.disks.thaw(uuid)

    def diagnostics(self, uuid):
        domain = self._domain(uuid)
        try:
            if not self._is(domain, libvirt.VIR_DOMAIN_RUNNING):
                return None
            return diagnostics.of(self._statistics(domain), guarded(domain.XMLDesc, 0), "lxc")
        except libvirt.libvirtError as error:
            raise self._failure("The guest's statistics could not be read", error) from error

    def _statistics(self, domain) -> dict:
        """As libvirt's statistics of all domains, which it does not have for LXC. CPU time is that of all its CPUs."""
        _, most_kib, used_kib, _, cpu_ns = guarded(domain.info)
        found = {"balloon.maximum": most_kib, "balloon.current": most_kib, "balloon.rss": used_kib, "vcpu.maximum": 1,
                 "vcpu.0.time": cpu_ns}
        taps = self._taps(guarded(domain.UUIDString))
        for number, tap in enumerate(taps):
            counted = guarded(domain.interfaceStats, tap)
            names = [f"{way}.{what}" for way in ("rx", "tx") for what in ("bytes", "pkts", "errs", "drop")]
            found |= {f"net.{number}.{name}": value for name, value in zip(names, counted)} | {f"net.{number}.name": tap}
        return found | {"net.count": len(taps)}

    def set_password(self, uuid, user, password):
        return "no agent" if self._is(self._domain(uuid), libvirt.VIR_DOMAIN_RUNNING) else "not running"

    def _interface_xml(self, uuid, port):
        tap = tap_of(port)
        made = text_of(xml.interface(None, port, links.bridge_of(tap)))
        if guarded(self._domain(uuid).isActive):
            links.remove(tap)
        return made

    def attach_interface(self, uuid, port):
        down = links.is_down(tap_of(port))
        super().attach_interface(uuid, port)
        if links.exists(tap_of(port)):
            links.set_up(tap_of(port), port.get("mtu"), down=down)

    def power_states(self):
        found = super().power_states()
        for uuid, state in found.items():
            if state in (server_states.RUNNING, server_states.PAUSED) and not self.logs.follows(uuid):
                self._follow(uuid)  # of an agent before this one, or it has restarted itself
                with contextlib.suppress(errors.StepFailed):
                    self._keep_limits(self._domain(uuid), uuid)
        return found

    def attached_volumes(self, uuid):
        self._domain(uuid)
        return []

    def detach_volume(self, uuid, volume_id):
        pass  # it has none

    def renew_secrets(self, volumes):
        pass

    def base_images(self):
        return set()  # disks are copies

    def arrived(self, uuid):
        pass

    def end_rescue(self, uuid):
        pass

    suspend = _refused("be suspended")
    inject_nmi = _refused("be interrupted for a crash dump")
    begin_rescue = _refused("be rescued")
    attach_volume = extend_volume = volume_size_gb = _refused("have volumes")
    open_console = _refused("show a console")
    describe_guest = prepare_incoming = open_incoming = migrate = _refused("be migrated while it runs")
    export_disks = begin_import = local_paths = import_disks = keep_disks = resize_disks = _refused("be resized or migrated")
    restore_disks = unrestore_disks = _refused("be resized or migrated")

    def drop_kept_disks(self, uuid):
        pass


def _attribute(parent: ET.Element, name: str, attribute: str) -> str:
    found = parent.find(name)
    return "" if found is None else found.get(attribute, "")
