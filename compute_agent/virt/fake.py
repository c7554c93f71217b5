"""A simulated hypervisor: it stores its guests in files, so that they survive a restart of the agent as real ones do."""

import json
import pathlib
import shutil
import string
import struct

from common import errors, guest_needs, server_states
from common.vault import open_chap
from compute_agent.tunnel import Channel
from compute_agent.virt import base, fake_console, fake_migration, kept_disks

BOOT_MESSAGES = "".join(f"FAKE CONSOLE OUTPUT {line}\n" for line in range(1, 11))  # clients expect several lines


class FakeDriver(base.VirtDriver):
    needs_image = False

    def __init__(self, conf):
        super().__init__(conf)
        self.path = pathlib.Path(conf.agent.instances_path or f"{conf.state_path}/instances")
        self.path.mkdir(parents=True, exist_ok=True)

    def _file(self, uuid: str) -> pathlib.Path:
        return self.path / uuid / "guest.json"

    def _read(self, uuid: str) -> dict:
        try:
            return json.loads(self._file(uuid).read_text())
        except FileNotFoundError:
            raise errors.StepFailed(reason=f"The guest of instance {uuid} is missing on its host.") from None

    def _write(self, uuid: str, guest: dict) -> None:
        # By rename, so that concurrent readers never see a partial file.
        partial = self._file(uuid).with_suffix(".part")
        partial.write_text(json.dumps(guest))
        partial.replace(self._file(uuid))

    def _set(self, uuid: str, **values) -> None:
        self._write(uuid, {**self._read(uuid), **values})

    def host_resources(self):
        fake = self.conf.fake
        can = {"unsupported": fake.unsupported} if fake.unsupported else {}
        return {"hypervisor_hostname": self.conf.host, "vcpus": fake.vcpus, "memory_mb": fake.memory_mb,
                "local_gb": fake.local_gb, "facts": {"hypervisor_type": fake.hypervisor_type, "hypervisor_version": 1000, **can,
                                                     "host_ip": self.conf.my_ip, "arch": "x86_64",
                                                     "disk_free_gb": fake.local_gb,
                                                     "features": guest_needs.every(),
                                                     "amounts": {guest_needs.DEDICATED_CPUS: fake.vcpus,
                                                                 guest_needs.NUMA_NODES: 2,
                                                                 guest_needs.pages(2048): fake.memory_mb,
                                                                 guest_needs.LARGE_PAGES: fake.memory_mb},
                                                     "cpu_info": {"arch": "x86_64", "model": "fake", "vendor": "fake",
                                                                  "topology": {"sockets": 1, "cores": fake.vcpus,
                                                                               "threads": 1}, "features": []}}}

    def prepare_disk(self, instance, image_files, injection=None):
        (self.path / instance["uuid"]).mkdir(exist_ok=True)
        self.resize_disks(instance)

    def _local(self, instance: dict) -> dict[str, pathlib.Path]:
        """{file name of an ephemeral disk: its path}"""
        count = sum(d["kind"] == "ephemeral" for d in instance["flavor"].get("local_disks", []))
        return {name: self.path / instance["uuid"] / name for name in (f"disk.eph{i}" for i in range(count))}

    def _disk(self, uuid: str) -> pathlib.Path:
        return self.path / uuid / "disk"

    def export_disks(self, uuid):
        if self.power_states().get(uuid) not in (None, server_states.SHUTDOWN):
            raise errors.StepFailed(reason="The guest runs.")
        if not self._disk(uuid).exists():
            raise errors.StepFailed(reason=f"The disk of instance {uuid} is missing on its host.")
        return self._disks(uuid)

    def _disks(self, uuid: str) -> dict:
        local = [str(p) for p in sorted((self.path / uuid).glob("disk.eph*"))]
        return {"disk": str(self._disk(uuid)), "local": local, "format": "raw", "cdrom": False, "base": None, "kernel": None,
                "ramdisk": None, "cmdline": ""}

    def begin_import(self, instance):
        (self.path / instance["uuid"]).mkdir(exist_ok=True)
        return self.path / instance["uuid"] / "disk.part"

    def local_paths(self, instance):
        return {name: (path.with_name(f"{name}.part"), 1 << 40) for name, path in self._local(instance).items()}

    def import_disks(self, instance, disks, cached):
        for path in (self._disk(instance["uuid"]), *self._local(instance).values()):
            arrived = path.with_name(f"{path.name}.part")
            if arrived.exists():
                arrived.replace(path)
        self.resize_disks(instance)

    def keep_disks(self, uuid, migration, is_unwanted=lambda: False):
        self.export_disks(uuid)
        kept_disks.keep(self.path / uuid, migration, is_unwanted)

    def resize_disks(self, instance):
        self._disk(instance["uuid"]).write_text(f"{instance['flavor']['disk']} GiB")
        for path in self._local(instance).values():
            path.touch()

    def restore_disks(self, uuid, migration):
        kept_disks.restore(self.path / uuid, migration)

    def unrestore_disks(self, uuid, migration):
        kept_disks.return_to(self.path / uuid, migration)

    def drop_kept_disks(self, uuid):
        kept_disks.drop(self.path / uuid)

    def describe_guest(self, uuid):
        return {"guest": json.dumps(self._read(uuid)), "disks": self._disks(uuid), "disk_bytes": 0, "config_drive": None}

    def prepare_incoming(self, instance, offered, cached, ports, volumes):
        self.renew_secrets(volumes)
        self.prepare_disk(instance, {})
        guest = {**json.loads(offered["guest"]), "owner": [self.conf.cloud_id, self.conf.host],
                 "ports": [p["id"] for p in ports], "volumes": [v["volume_id"] for v in volumes]}
        self._arriving(instance["uuid"]).write_text(json.dumps(guest))

    def _arriving(self, uuid: str) -> pathlib.Path:
        return self.path / uuid / "arriving.json"

    def open_incoming(self, instance):
        return self._arriving(instance["uuid"]).read_text(), {"memory": Channel(lambda: fake_migration.receiver(
            lambda guest: self._write(instance["uuid"], {**guest, "power": server_states.PAUSED})))}

    def migrate(self, uuid, guest, tunnel, watch):
        """Takes no time, except while a test holds it by a file."""
        fake_migration.send(json.loads(guest), tunnel, watch, pause=lambda: self.pause(uuid),
                            is_held=(self.path / "hold-migrations").exists)
        self._set(uuid, power=server_states.SHUTDOWN, migrated=True)

    def arrived(self, uuid):
        self._arriving(uuid).unlink(missing_ok=True)

    def spawn(self, instance, ports, volumes, config_drive, *, running=True):
        self.renew_secrets(volumes)
        power = server_states.RUNNING if running else server_states.SHUTDOWN
        self._write(instance["uuid"], {"power": power, "owner": [self.conf.cloud_id, self.conf.host],
                                       "ports": [p["id"] for p in ports],
                                       "volumes": [v["volume_id"] for v in volumes],
                                       "hostname": instance["hostname"],
                                       "console": f"{BOOT_MESSAGES}{instance['hostname']} login: "})

    def destroy(self, uuid):
        self._file(uuid).unlink(missing_ok=True)

    def remove_files(self, uuid):
        shutil.rmtree(self.path / uuid, ignore_errors=True)

    def power_on(self, uuid):
        self._set(uuid, power=server_states.RUNNING, migrated=False)

    def pause(self, uuid):
        self._set(uuid, power=server_states.PAUSED)

    def unpause(self, uuid):
        if self._read(uuid)["power"] == server_states.PAUSED:
            self._set(uuid, power=server_states.RUNNING)

    def suspend(self, uuid):
        self._set(uuid, power=server_states.SHUTDOWN)

    def power_off(self, uuid, *, timeout_s, is_cancelled=lambda: False):
        self._set(uuid, power=server_states.SHUTDOWN, sizes={})  # it learns its volumes' sizes when it starts

    def reboot(self, uuid, *, timeout_s, is_cancelled=lambda: False):
        self._set(uuid, power=server_states.RUNNING)

    def diagnostics(self, uuid):
        if self.power_states().get(uuid) != server_states.RUNNING:
            return None
        guest, disk = self._read(uuid), dict.fromkeys(("read_bytes", "read_requests", "write_bytes", "write_requests"), 0)
        moved = dict.fromkeys((f"{way}_{what}" for way in ("rx", "tx") for what in ("octets", "packets", "errors", "drop")), 0)
        # Clients check the name of the driver against Nova's list, which has no fake one.
        return {"driver": "libvirt", "hypervisor": "fake", "hypervisor_os": "linux",
                "memory_kb": {"maximum": 65536, "used": 65536},
                "memory_stats": {"actual": 65536, "rss": 65536}, "cpus": [{"id": 0, "time": 1_000_000_000}],
                "disks": [{"device": f"vd{letter}", "errors_count": 0, **disk}
                          for letter in string.ascii_lowercase[:1 + len(guest["volumes"])]],
                "nics": [{"device": f"tap{port[:11]}", "mac_address": None, **moved} for port in guest["ports"]]}

    def placement(self, uuid):
        return {"cells": [], "cpus": []} if uuid in self.power_states() else None

    def inject_nmi(self, uuid):
        if not self._runs(uuid):
            raise errors.StepFailed(reason="The guest is not running.")
        self._set(uuid, interrupts=self._read(uuid).get("interrupts", 0) + 1)

    def set_password(self, uuid, user, password):
        """Each guest has an agent; it knows the user root only."""
        if self.power_states().get(uuid) != server_states.RUNNING:
            return "not running"
        return "set" if user == "root" else "refused"

    def begin_rescue(self, instance, image_files, injection=None):
        self.prepare_disk(instance, image_files)

    def end_rescue(self, uuid):
        pass  # it has no disks to switch

    def quiesce(self, uuid):
        self._read(uuid)

    def unquiesce(self, uuid):
        pass  # it has no file systems

    def snapshot(self, uuid, target):
        self._read(uuid)
        # The header of an empty disk of 1 GiB (docs/interop/qcow2.txt of QEMU).
        pathlib.Path(target).write_bytes(struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 0, 0, 16, 1 << 30, 0, 2, 196608,
                                                     65536, 1, 0, 0).ljust(4 * 65536, b"\0"))

    def renew_secrets(self, volumes):
        """Needs no secrets, but fails if one cannot be decrypted, as a real hypervisor would."""
        for volume in volumes:
            if not open_chap(self.vault, volume["info"]).get("auth_password"):
                raise errors.StepFailed(reason=f"The secret of volume {volume['volume_id']} is missing.")

    def attach_volume(self, uuid, volume):
        self.renew_secrets([volume])
        self._set(uuid, volumes=sorted({*self._read(uuid)["volumes"], volume["volume_id"]}))

    def detach_volume(self, uuid, volume_id):
        if uuid in self.power_states():
            guest = self._read(uuid)
            self._set(uuid, volumes=[v for v in guest["volumes"] if v != volume_id],
                      sizes={v: size_gb for v, size_gb in guest.get("sizes", {}).items() if v != volume_id})

    def extend_volume(self, uuid, volume_id, size_gb):
        guest = self._read(uuid)
        if volume_id not in guest["volumes"]:
            raise errors.StepFailed(reason=f"The guest has no volume {volume_id}.")
        if guest["power"] != server_states.SHUTDOWN:
            self._set(uuid, sizes={**guest.get("sizes", {}), volume_id: size_gb})

    def volume_size_gb(self, uuid, volume_id):
        guest = self._read(uuid)
        return None if guest["power"] == server_states.SHUTDOWN else guest.get("sizes", {}).get(volume_id)

    def attach_interface(self, uuid, port):
        self._set(uuid, ports=sorted({*self._read(uuid)["ports"], port["id"]}))

    def detach_interface(self, uuid, port):
        if uuid in self.power_states():
            self._set(uuid, ports=[p for p in self._read(uuid)["ports"] if p != port["id"]])

    def power_states(self):
        return {p.parent.name: json.loads(p.read_text())["power"] for p in self.path.glob("*/guest.json")}

    def generation(self):
        """Changes only if a test writes this file, which makes all guests disappear."""
        marker = self.path / "generation"
        return marker.read_text() if marker.exists() else "first"

    def lost_guests(self, uuids):
        return {uuid for uuid in uuids if uuid not in self.power_states() or self._read(uuid).get("migrated")}

    def owners(self):
        found = {p.parent.name: json.loads(p.read_text()) for p in self.path.glob("*/guest.json")}
        return {uuid: tuple(guest.get("owner", ("", ""))) for uuid, guest in found.items()}

    def directories(self):
        return [p.name for p in self.path.iterdir() if p.is_dir() and len(p.name) == 36]

    def base_images(self):
        return set()

    def attached_volumes(self, uuid):
        return self._read(uuid)["volumes"]

    def console_output(self, uuid):
        return self._read(uuid)["console"].encode()

    def _runs(self, uuid: str) -> bool:
        return self.power_states().get(uuid) in (server_states.RUNNING, server_states.PAUSED)

    def open_console(self, uuid, kind):
        if not self._runs(uuid):
            raise errors.StepFailed(reason="The guest is not running.")
        return fake_console.open_console(kind, self._read(uuid)["hostname"], lambda: self._runs(uuid))
