"""The libvirt driver."""

import dataclasses
import logging
import threading
import xml.etree.ElementTree as ET

import libvirt

from common import errors, guest_hardware
from common.guest_cpus import cpu_set
from common.vault import open_chap
from compute_agent.virt import kept_disks
from compute_agent.virt.libvirt import capabilities, consoles, diagnostics, firmware, local_disks, xml
from compute_agent.virt.libvirt.files import Files
from compute_agent.virt.libvirt.guest_agent import GuestAgent
from compute_agent.virt.libvirt.guests import Guests
from compute_agent.virt.libvirt.host import guarded
from compute_agent.virt.libvirt.kvm import kvm_works
from compute_agent.virt.libvirt.live import LiveMigration
from compute_agent.virt.libvirt.pinning import Pinning
from compute_agent.virt.libvirt.users import Users

LOG = logging.getLogger(__name__)
URI = "qemu:///system"


class LibvirtDriver(GuestAgent, LiveMigration, Guests):
    # What the firmware remembers is the guest's, and goes with its files.
    undefine_flags = libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM

    def __init__(self, conf):
        super().__init__(conf, URI)
        self.users = Users(self.path, conf.libvirt.guest_uid_first, conf.libvirt.guest_uid_count, conf.libvirt.guest_group)
        formatting = local_disks.Formatting.of(conf.default_ephemeral_format, conf.virt_mkfs)
        self.files = Files(self.path, conf.state_path, self.users, formatting, lambda uuid: self.tpm_key(uuid))
        self.image_owner = (0, self.users.gid) if self.users.gid is not None else None
        self.virt_type = ("kvm" if kvm_works() else "qemu") if conf.libvirt.virt_type == "auto" \
            else conf.libvirt.virt_type
        self.initiator = conf.libvirt.initiator or f"iqn.2012-01.cloud.pileus:{conf.host}"
        dedicated, mode = conf.libvirt.cpu_dedicated_set, conf.libvirt.cpu_mode
        self.dedicated = cpu_set(dedicated, "cpu_dedicated_set")[0] if dedicated else frozenset()
        if mode == "custom" and not conf.libvirt.cpu_models:
            raise errors.BadRequest("cpu_mode=custom needs cpu_models.")
        self.pinning, self._capabilities, self._reading = Pinning(), ("", None), threading.Lock()
        LOG.info("guests run on %s", self.virt_type)

    def _able(self):
        known = self._known()
        return {"features": list(known.features),
                "amounts": known.amounts(len(self.pinning.free(known.dedicated)), self.pinning.bound())}

    def _known(self) -> capabilities.Capabilities:
        """What the host can do, read again when libvirtd or the host was restarted."""
        with self._reading:
            return self._read()

    def _read(self) -> capabilities.Capabilities:
        generation, known = self._capabilities
        if known is None or generation != self.generation():
            generation = self.generation()
            known = capabilities.read(self.watched, self.virt_type, self.dedicated, has_users=self.users.on)
            for domain in self.watched.call("listAllDomains", 0):
                try:
                    self.pinning.learn(guarded(domain.UUIDString), guarded(domain.metadata,
                                       libvirt.VIR_DOMAIN_METADATA_ELEMENT, xml.METADATA_URI))
                except libvirt.libvirtError as error:
                    LOG.debug("a domain without our metadata: %s", error)
                except (errors.BadRequest, ValueError, SyntaxError) as error:
                    LOG.warning("a domain with other metadata than ours: %s", error)
            self._capabilities = generation, known
        return known

    def check_hardware(self, instance):
        super().check_hardware(instance)
        self.pinning.check(instance["uuid"], self._hardware(instance), self._known())

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
        self._check_off(uuid)
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
        self._define(self._xml(instance, ports, volumes, drive), running=running)

    def _power_up(self, domain, uuid: str) -> None:
        self._start_tpm(uuid)
        guarded(domain.create)

    def _start_tpm(self, uuid: str) -> None:
        wanted = self._hardware_of(uuid).tpm
        if wanted:
            self.files.tpms.start(uuid, wanted[0])

    def destroy(self, uuid):
        domain = self.connection.domain(uuid)
        secrets = [xml.secret_of(disk) for disk in self._volume_disks(domain)] if domain is not None else []
        self._undefine(uuid)
        self.pinning.release(uuid)
        self.files.tpms.stop(uuid)
        for usage in secrets:
            self._drop_secret(usage)

    def remove_files(self, uuid):
        self.arrived(uuid)
        self.files.remove(uuid)

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

    # Interfaces -------------------------------------------------------------

    def _interface_xml(self, uuid, port):
        return xml.text_of(xml.interface(None, port, self._hardware_of(uuid)))

    # What there is ----------------------------------------------------------

    def base_images(self):
        return self.files.base_images()

    def open_console(self, uuid, kind):
        domain = self._domain(uuid)
        try:
            if not guarded(domain.isActive):
                raise errors.StepFailed(reason="The guest is not running.")
            return consoles.open_vnc(domain) if kind == "vnc" else consoles.open_serial(domain, self.users.of(uuid))
        except (libvirt.libvirtError, OSError) as error:
            raise self._failure("The console could not be opened", error) from error
