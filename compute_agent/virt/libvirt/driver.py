"""The libvirt driver."""

import dataclasses
import logging
import pathlib
import time
import xml.etree.ElementTree as ET

import libvirt

from common import errors, guest_hardware, server_states
from common.guest_cpus import cpu_set
from common.vault import open_chap
from compute_agent.virt import base, kept_disks
from compute_agent.virt.libvirt import capabilities, consoles, diagnostics, firmware, local_disks, pinning, xml
from compute_agent.virt.libvirt.files import Files
from compute_agent.virt.libvirt.guest_agent import GuestAgent
from compute_agent.virt.libvirt.host import Connection, guarded, resources
from compute_agent.virt.libvirt.kvm import kvm_works
from compute_agent.virt.libvirt.live import LiveMigration
from compute_agent.virt.libvirt.pinning import Pinning
from compute_agent.virt.libvirt.users import Users

LOG = logging.getLogger(__name__)
_POWER = {libvirt.VIR_DOMAIN_RUNNING: server_states.RUNNING, libvirt.VIR_DOMAIN_BLOCKED: server_states.RUNNING,
          libvirt.VIR_DOMAIN_PAUSED: server_states.PAUSED, libvirt.VIR_DOMAIN_SHUTDOWN: server_states.SHUTDOWN,
          libvirt.VIR_DOMAIN_SHUTOFF: server_states.SHUTDOWN, libvirt.VIR_DOMAIN_CRASHED: server_states.CRASHED}
# Reasons of a shut off domain that libvirtd did not see ending, or that left for a host that lost it.
_UNSEEN = (libvirt.VIR_DOMAIN_SHUTOFF_UNKNOWN, libvirt.VIR_DOMAIN_SHUTOFF_CRASHED, libvirt.VIR_DOMAIN_SHUTOFF_DAEMON,
           libvirt.VIR_DOMAIN_SHUTOFF_FAILED, libvirt.VIR_DOMAIN_SHUTOFF_MIGRATED)
# What the firmware remembers is the guest's, and goes with its files.
_UNDEFINE = libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM
CONSOLE_BYTES = 100 * 1024
SHUTDOWN_AGAIN_S = 5.0  # a booting guest ignores the first requests


class LibvirtDriver(GuestAgent, LiveMigration, base.VirtDriver):
    def __init__(self, conf):
        super().__init__(conf)
        instances = pathlib.Path(conf.agent.instances_path or f"{conf.state_path}/instances")
        self.users = Users(instances, conf.libvirt.guest_uid_first, conf.libvirt.guest_uid_count, conf.libvirt.guest_group)
        formatting = local_disks.Formatting.of(conf.default_ephemeral_format, conf.virt_mkfs)
        self.files = Files(instances, conf.state_path, self.users, formatting, lambda uuid: self.tpm_key(uuid))
        self.image_owner = (0, self.users.gid) if self.users.gid is not None else None
        self.connection = Connection(conf.libvirt.uri)
        self.virt_type = ("kvm" if kvm_works() else "qemu") if conf.libvirt.virt_type == "auto" \
            else conf.libvirt.virt_type
        self.initiator = conf.libvirt.initiator or f"iqn.2012-01.cloud.pileus:{conf.host}"
        dedicated, mode = conf.libvirt.cpu_dedicated_set, conf.libvirt.cpu_mode
        self.dedicated = cpu_set(dedicated, "cpu_dedicated_set")[0] if dedicated else frozenset()
        if mode == "custom" and not conf.libvirt.cpu_models:
            raise errors.BadRequest("cpu_mode=custom needs cpu_models.")
        self.pinning, self._capabilities = Pinning(), ("", None)
        self._problem = ""  # why the host's resources could not be determined, if it was logged
        LOG.info("guests run on %s", self.virt_type)

    def host_resources(self):
        version, able = 0, {"unusable": True}
        try:
            version, known = self.connection.call("getVersion"), self._known()
            able = {"features": list(known.features), "amounts": known.amounts(len(self.pinning.free(known.dedicated)))}
            self._problem = ""
        except libvirt.libvirtError as error:  # the host is up all the same, and its guests may be running
            if str(error) != self._problem:
                self._problem = str(error)
                LOG.error("libvirt cannot say what QEMU can do, so no server is placed on this host: %s", error)
        found = resources(self.conf, self.virt_type, version, self.files.path)
        found["facts"].update(able)
        return found

    def _known(self) -> capabilities.Capabilities:
        """What the host can do, read again when libvirtd or the host was restarted."""
        generation, known = self._capabilities
        if known is None or generation != self.generation():
            generation = self.generation()
            known = capabilities.read(self.connection, self.virt_type, self.dedicated, has_users=self.users.on)
            for domain in self.connection.call("listAllDomains", 0):
                try:
                    self.pinning.learn(guarded(domain.UUIDString), guarded(domain.metadata,
                                       libvirt.VIR_DOMAIN_METADATA_ELEMENT, xml.METADATA_URI))
                except libvirt.libvirtError as error:
                    LOG.debug("a domain without our metadata: %s", error)
                except (errors.BadRequest, ValueError, SyntaxError) as error:
                    LOG.warning("a domain with other metadata than ours: %s", error)
            self._capabilities = generation, known
        return known

    def prepare_disk(self, instance, image_files, injection=None):
        self.files.prepare(instance, image_files, injection)

    def _xml(self, instance, ports, volumes, drive) -> str:
        uuid, hardware, known = instance["uuid"], self._hardware(instance), self._known()
        plan, options = self.files.plan(uuid), self.conf.libvirt
        placement = self.pinning.assign(uuid, hardware, known)
        host = xml.Host(self.virt_type, self.initiator, (self.conf.cloud_id, self.conf.host), self.users.of(uuid), placement,
                        self.pinning.of(uuid), memory=self.pinning.memory_of(uuid), cpu=(
                            options.cpu_mode, tuple(options.cpu_models), tuple(options.cpu_model_extra_flags)))
        if hardware.uefi:
            chosen = firmware.choose(list(known.firmware), hardware.machine_type, secure=hardware.secure_boot)
            if chosen is None:
                raise errors.StepFailed(reason="The host has no UEFI firmware for the server's machine type.")
            host = dataclasses.replace(host, firmware=chosen, variables=self.files.variables(uuid, chosen.variables))
        self.files.note_hardware(instance)
        return xml.domain(instance, hardware, host, directory=str(self.files.directory(uuid)), ports=ports, volumes=volumes,
                          config_drive=drive, root=plan["root"], second=plan.get("second"), local=plan.get("local", []),
                          kernel=plan["kernel"], rescue=plan.get("rescue"))

    @staticmethod
    def _hardware(instance: dict) -> guest_hardware.Hardware:
        try:
            return guest_hardware.of_server(instance)
        except errors.BadRequest as error:
            raise errors.StepFailed(reason=str(error)) from error

    def _hardware_of(self, uuid: str) -> guest_hardware.Hardware:
        """The hardware with which a guest was defined, for devices that are attached to it."""
        return self._hardware(self.files.noted_hardware(uuid))

    def export_disks(self, uuid):
        domain = self.connection.domain(uuid)
        if domain is not None and guarded(domain.isActive):
            raise errors.StepFailed(reason="The guest runs.")
        return self.files.exported(uuid)

    def begin_import(self, instance):
        return self.files.begin_import(instance["uuid"])

    def local_paths(self, instance):
        return self.files.local_paths(instance)

    def import_disks(self, instance, disks, cached):
        self.files.imported(instance, disks, cached)

    def keep_disks(self, uuid, migration, is_unwanted=lambda: False):
        self.export_disks(uuid)
        kept_disks.keep(self.files.directory(uuid), migration, is_unwanted)

    def resize_disks(self, instance):
        self.files.resize(instance)

    def restore_disks(self, uuid, migration):
        kept_disks.restore(self.files.directory(uuid), migration)

    def unrestore_disks(self, uuid, migration):
        kept_disks.return_to(self.files.directory(uuid), migration)

    def drop_kept_disks(self, uuid):
        kept_disks.drop(self.files.directory(uuid))

    def spawn(self, instance, ports, volumes, config_drive, *, running=True):
        uuid = instance["uuid"]
        drive = self.files.config_drive(uuid, config_drive) if config_drive else None
        self.renew_secrets(volumes)
        self.users.admit()
        self.files.give(uuid, drive)
        try:
            domain = self.connection.call("defineXML", self._xml(instance, ports, volumes, drive))
            if running and not guarded(domain.isActive):
                self._power_up(domain, uuid)
        except libvirt.libvirtError as error:
            raise self._failure("The guest could not be started", error) from error

    @staticmethod
    def _failure(text: str, error: Exception) -> errors.StepFailed:
        """The reason for the user, and libvirt's message for the log, because it may contain paths of the host."""
        LOG.warning("%s: %s", text, error)
        return errors.StepFailed(reason=f"{text} by the hypervisor.", internal=str(error))

    def _power_up(self, domain, uuid: str) -> None:
        self._start_tpm(uuid)
        guarded(domain.create)

    def _start_tpm(self, uuid: str) -> None:
        wanted = self._hardware_of(uuid).tpm
        if wanted:
            self.files.tpms.start(uuid, wanted[0])

    def destroy(self, uuid):
        domain = self.connection.domain(uuid)
        if domain is None:
            self.pinning.release(uuid)
            self.files.tpms.stop(uuid)
            return
        secrets = [xml.secret_of(disk) for disk in self._volume_disks(domain)]
        try:
            if guarded(domain.isActive):
                guarded(domain.destroy)
            guarded(domain.undefineFlags, _UNDEFINE)
        except libvirt.libvirtError as error:
            if error.get_error_code() not in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
                raise self._failure("The guest could not be removed", error) from error
            if self.connection.domain(uuid) is not None:
                return self.destroy(uuid)  # it stopped between the two calls
        self.pinning.release(uuid)
        self.files.tpms.stop(uuid)
        for usage in secrets:
            self._drop_secret(usage)

    def remove_files(self, uuid):
        self.arrived(uuid)
        self.files.remove(uuid)

    def _domain(self, uuid: str):
        domain = self.connection.domain(uuid)
        if domain is None:
            raise errors.StepFailed(reason=f"The guest of instance {uuid} is missing on its host.")
        return domain

    def power_on(self, uuid):
        domain = self._domain(uuid)
        try:
            if not guarded(domain.isActive):
                self._power_up(domain, uuid)
        except libvirt.libvirtError as error:
            raise self._failure("The guest could not be started", error) from error

    def _is(self, domain, state: int) -> bool:
        return guarded(domain.state)[0] == state

    def pause(self, uuid):
        domain = self._domain(uuid)
        try:
            if not self._is(domain, libvirt.VIR_DOMAIN_PAUSED):
                guarded(domain.suspend)
        except libvirt.libvirtError as error:
            raise self._failure("The guest could not be paused", error) from error

    def unpause(self, uuid):
        domain = self._domain(uuid)
        try:
            if self._is(domain, libvirt.VIR_DOMAIN_PAUSED):
                guarded(domain.resume)
        except libvirt.libvirtError as error:
            raise self._failure("The guest could not be continued", error) from error

    def suspend(self, uuid):
        domain = self._domain(uuid)
        try:
            if guarded(domain.isActive):
                guarded(domain.managedSave, 0)
        except libvirt.libvirtError as error:
            raise self._failure("The guest could not be suspended", error) from error

    def diagnostics(self, uuid):
        domain = self._domain(uuid)
        try:
            if not self._is(domain, libvirt.VIR_DOMAIN_RUNNING):
                return None
            (_, stats), = self.connection.call("domainListGetStats", [domain], diagnostics.FLAGS, 0)
            return diagnostics.of(stats, guarded(domain.XMLDesc, 0), self.virt_type)
        except libvirt.libvirtError as error:
            raise self._failure("The guest's statistics could not be read", error) from error

    def placement(self, uuid):
        try:
            return pinning.placement(guarded(self._domain(uuid).XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE))
        except errors.StepFailed:
            return None
        except libvirt.libvirtError as error:
            raise self._failure("The guest's definition could not be read", error) from error

    def inject_nmi(self, uuid):
        domain = self._domain(uuid)
        try:
            guarded(domain.injectNMI)
        except libvirt.libvirtError as error:
            raise self._failure("The guest could not be interrupted", error) from error

    def begin_rescue(self, instance, image_files, injection=None):
        self.files.begin_rescue(instance, image_files, injection)

    def end_rescue(self, uuid):
        self.files.end_rescue(uuid)

    def snapshot(self, uuid, target):
        self.files.flatten(uuid, target)

    def power_off(self, uuid, *, timeout_s, is_cancelled=lambda: False):
        domain = self._domain(uuid)
        try:
            if not guarded(domain.isActive):
                return
            deadline, asked_at = time.monotonic() + timeout_s, 0.0
            while guarded(domain.isActive):
                if is_cancelled() or time.monotonic() > deadline:
                    guarded(domain.destroy)
                    return
                if time.monotonic() - asked_at > SHUTDOWN_AGAIN_S:
                    asked_at = time.monotonic()
                    self.shut_down(domain)
                time.sleep(0.25)
        except libvirt.libvirtError as error:
            if guarded(domain.isActive):
                raise self._failure("The guest could not be stopped", error) from error

    def reboot(self, uuid, *, timeout_s, is_cancelled=lambda: False):
        self.power_off(uuid, timeout_s=timeout_s, is_cancelled=is_cancelled)
        self.power_on(uuid)

    # Volumes ----------------------------------------------------------------

    def renew_secrets(self, volumes):
        for volume in volumes:
            self._define_secret(volume)

    def _define_secret(self, volume: dict) -> None:
        """Pass the CHAP secret to libvirt, which keeps it in memory, so that it is in no file, XML, command line or log."""
        try:
            made = self.connection.call("secretDefineXML", xml.text_of(xml.secret(volume)))
        except libvirt.libvirtError:
            made = self.connection.call("secretLookupByUsage", libvirt.VIR_SECRET_USAGE_TYPE_ISCSI, xml.secret_usage(volume))
        guarded(made.setValue, open_chap(self.vault, volume["info"])["auth_password"].encode())

    def _drop_secret(self, usage: str) -> None:
        try:
            guarded(self.connection.call("secretLookupByUsage", libvirt.VIR_SECRET_USAGE_TYPE_ISCSI, usage).undefine)
        except libvirt.libvirtError as error:
            LOG.debug("secret %s: %s", usage, error)

    @staticmethod
    def _disk_of(description: str, volume_id: str) -> str | None:
        for disk in ET.fromstring(description).iterfind("./devices/disk"):
            if disk.findtext("serial") == volume_id:
                return ET.tostring(disk, encoding="unicode")
        return None

    @staticmethod
    def _volume_disks(domain) -> list:
        found = ET.fromstring(guarded(domain.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE))
        return [disk for disk in found.iterfind("./devices/disk") if disk.get("type") == "network"]

    def _volumes_of(self, domain) -> list[str]:
        return [disk.findtext("serial") or "" for disk in self._volume_disks(domain)]

    def attached_volumes(self, uuid):
        return self._volumes_of(self._domain(uuid))

    @staticmethod
    def _flags(domain) -> int:
        live = libvirt.VIR_DOMAIN_AFFECT_LIVE if guarded(domain.isActive) else 0
        return libvirt.VIR_DOMAIN_AFFECT_CONFIG | live

    def attach_volume(self, uuid, volume):
        domain = self._domain(uuid)
        if volume["volume_id"] in self._volumes_of(domain):
            return
        self._define_secret(volume)
        disk = xml.text_of(xml.volume_disk(None, volume, self.initiator, self._hardware_of(uuid)))
        try:
            guarded(domain.attachDeviceFlags, disk, self._flags(domain))
        except libvirt.libvirtError as error:
            self._drop_secret(xml.secret_usage(volume))
            raise self._failure("The volume could not be attached", error) from error

    def detach_volume(self, uuid, volume_id):
        domain = self.connection.domain(uuid)
        if domain is None:
            return
        secrets = [xml.secret_of(disk) for disk in self._volume_disks(domain) if disk.findtext("serial") == volume_id]
        self._detach(domain, lambda text: self._disk_of(text, volume_id), "volume")
        for usage in secrets:
            self._drop_secret(usage)

    def _target_of(self, domain, volume_id: str) -> str | None:
        """The target device name of a volume in the running guest; None if it is off. :raises StepFailed: it has no such volume
        """
        if not guarded(domain.isActive):
            return None
        disk = self._disk_of(guarded(domain.XMLDesc, 0), volume_id)
        if disk is None:
            raise errors.StepFailed(reason=f"The guest has no volume {volume_id}.")
        return ET.fromstring(disk).find("target").get("dev")  # type: ignore[union-attr]

    def extend_volume(self, uuid, volume_id, size_gb):
        domain = self._domain(uuid)
        try:
            target = self._target_of(domain, volume_id)
            if target is not None:
                guarded(domain.blockResize, target, size_gb << 30, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)
        except libvirt.libvirtError as error:
            raise self._failure("The new size of the volume could not be shown to the guest", error) from error

    def volume_size_gb(self, uuid, volume_id):
        domain = self._domain(uuid)
        try:
            target = self._target_of(domain, volume_id)
            return None if target is None else guarded(domain.blockInfo, target)[0] >> 30
        except libvirt.libvirtError as error:
            raise self._failure("The size of the volume could not be read", error) from error

    def _detach(self, domain, find, what: str) -> None:
        """Request a detach until the guest releases the device: a booting guest ignores the first requests."""
        inactive = find(guarded(domain.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE))
        if inactive:
            guarded(domain.detachDeviceFlags, inactive, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
        deadline, asked_at = time.monotonic() + 60, 0.0
        while guarded(domain.isActive):
            live = find(guarded(domain.XMLDesc, 0))
            if live is None:
                return
            if time.monotonic() > deadline:
                raise errors.StepFailed(reason=f"The guest does not release the {what}.")
            if time.monotonic() - asked_at > 5:
                asked_at = time.monotonic()
                try:
                    guarded(domain.detachDeviceFlags, live, libvirt.VIR_DOMAIN_AFFECT_LIVE)
                except libvirt.libvirtError as error:
                    LOG.info("the guest has already been asked for the %s: %s", what, error)
            time.sleep(0.1)

    # Interfaces -------------------------------------------------------------

    @staticmethod
    def _interface_of(description: str, mac: str) -> str | None:
        for found in ET.fromstring(description).iterfind("./devices/interface"):
            address = found.find("mac")
            if address is not None and address.get("address") == mac:
                return ET.tostring(found, encoding="unicode")
        return None

    def attach_interface(self, uuid, port):
        domain = self._domain(uuid)
        if self._interface_of(guarded(domain.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE), port["mac_address"]):
            return
        try:
            made = xml.text_of(xml.interface(None, port, self._hardware_of(uuid)))
            guarded(domain.attachDeviceFlags, made, self._flags(domain))
        except libvirt.libvirtError as error:
            raise self._failure("The interface could not be attached", error) from error

    def detach_interface(self, uuid, port):
        domain = self.connection.domain(uuid)
        if domain is not None:
            self._detach(domain, lambda text: self._interface_of(text, port["mac_address"]), "interface")

    # What there is ----------------------------------------------------------

    def power_states(self):
        found = {}
        for domain in self.connection.call("listAllDomains", 0):
            try:
                name = guarded(domain.name)
                if name.startswith("instance-"):
                    found[guarded(domain.UUIDString)] = _POWER.get(guarded(domain.state)[0], server_states.NOSTATE)
            except libvirt.libvirtError as error:
                LOG.debug("a domain went away while it was looked at: %s", error)
        return found

    def generation(self):
        return self.connection.generation()

    def lost_guests(self, uuids):
        """libvirtd knows why a domain is off if it saw it end; otherwise the domain ended with a former libvirtd or the host."""
        found = set()
        for uuid in uuids:
            domain = self.connection.domain(uuid)
            state, why = guarded(domain.state) if domain is not None else (libvirt.VIR_DOMAIN_SHUTOFF, _UNSEEN[0])
            if state == libvirt.VIR_DOMAIN_CRASHED or state == libvirt.VIR_DOMAIN_SHUTOFF and why in _UNSEEN:
                found.add(uuid)
        return found

    def owners(self):
        found = {}
        for domain in self.connection.call("listAllDomains", 0):
            try:
                if not guarded(domain.name).startswith("instance-"):
                    continue
                uuid = guarded(domain.UUIDString)
                found[uuid] = ("", "")
                found[uuid] = xml.owner_of(guarded(domain.metadata, libvirt.VIR_DOMAIN_METADATA_ELEMENT, xml.METADATA_URI))
            except libvirt.libvirtError as error:
                if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                    found.pop(uuid, None)
                LOG.debug("a domain without our metadata, or one that went away: %s", error)
        return found

    def directories(self):
        return self.files.known()

    def base_images(self):
        return self.files.base_images()

    def console_output(self, uuid):
        log = pathlib.Path(self.files.directory(uuid)) / "console.log"
        try:
            with open(log, "rb") as handle:
                handle.seek(max(0, log.stat().st_size - CONSOLE_BYTES))
                return handle.read()
        except FileNotFoundError:
            return b""

    def open_console(self, uuid, kind):
        domain = self._domain(uuid)
        try:
            if not guarded(domain.isActive):
                raise errors.StepFailed(reason="The guest is not running.")
            return consoles.open_vnc(domain) if kind == "vnc" else consoles.open_serial(domain, self.users.of(uuid))
        except (libvirt.libvirtError, OSError) as error:
            raise self._failure("The console could not be opened", error) from error
