"""What every hypervisor driver keeps: tests for classes that give it a driver. Without root for the fake one
(``test_virt_contract.py``), with libvirt in ``tests/e2e/test_virt_contract.py``."""

import collections.abc
import dataclasses
import os
import pathlib
import select
import shutil
import time

import pytest

from common import errors, guest_needs, inspector, server_states
from compute_agent.virt.base import VirtDriver

UUID = "11111111-2222-4333-8444-555555555555"


@dataclasses.dataclass
class Kit:
    """A driver, and what its guests are made of.

    :param load: the driver as a restarted agent makes it
    :param booted: wait until a guest that was started answers to its hardware
    :param grow: (size in GiB): make the volume larger at its target, while the guest neither reads nor writes
    :param plug: make the host's end of the interface
    """

    load: collections.abc.Callable[[], VirtDriver]
    directory: pathlib.Path
    volume: dict
    image: dict = dataclasses.field(default_factory=lambda: {"disk_format": "raw", "properties": {}})
    files: dict = dataclasses.field(default_factory=dict)
    booted: collections.abc.Callable[[], object] = lambda: None
    grow: collections.abc.Callable[[int], object] = lambda size_gb: None
    plug: collections.abc.Callable[[], object] = lambda: None
    port: dict = dataclasses.field(default_factory=lambda: {
        "id": "11111111-3333-4333-8444-555555555555", "mac_address": "fa:16:3e:00:00:01"})
    has_local_disks: bool = True

    def __post_init__(self):
        self.driver = self.load()
        self.instance = {"uuid": UUID, "project_id": "p", "hostname": "h", "memory_mb": 128, "vcpus": 1,
                         "flavor": {"disk": 1, "local_disks": [
                             {"device_name": "/dev/vdb", "kind": "ephemeral", "size_mb": 16, "format": None},
                             {"device_name": "/dev/vdc", "kind": "swap", "size_mb": 8, "format": None}
                         ] if self.has_local_disks else []},
                         "image_meta": self.image, "rescue_image": self.image}

    def spawn(self) -> None:
        self.driver.prepare_disk(self.instance, self.files)
        self.driver.spawn(self.instance, [], [], None)

    def power(self) -> int | None:
        return self.driver.power_states().get(UUID)


def twice(work, *args, **named) -> None:
    work(*args, **named)
    work(*args, **named)


class Opened:
    """A console that a driver opened."""

    def __init__(self, driver: VirtDriver, kind: str):
        self.handle = driver.open_console(UUID, kind)
        os.set_blocking(self.handle, False)

    def read(self, seconds: float) -> bytes | None:
        """None: it has ended."""
        if not select.select([self.handle], [], [], seconds)[0]:
            return b""
        try:
            return os.read(self.handle, 4096) or None
        except OSError:
            return None

    def wait_for(self, wanted: bytes, typed: bytes = b"", seconds: float = 30) -> None:
        found, until = b"", time.monotonic() + seconds
        while wanted not in found:
            assert time.monotonic() < until, found
            if typed:
                os.write(self.handle, typed)
            found += self.read(1) or b""

    def wait_end(self) -> None:
        until = time.monotonic() + 10
        while self.read(1) is not None:
            assert time.monotonic() < until
        os.close(self.handle)


class VirtContract:
    """Subclasses have a fixture ``kit``."""

    def test_life_of_a_guest_every_call_twice(self, kit):
        driver = kit.driver
        twice(kit.spawn)
        assert kit.power() == server_states.RUNNING
        twice(driver.power_off, UUID, timeout_s=1)
        assert kit.power() == server_states.SHUTDOWN
        twice(driver.power_on, UUID)
        twice(driver.pause, UUID)
        assert kit.power() == server_states.PAUSED
        twice(driver.unpause, UUID)
        assert kit.power() == server_states.RUNNING
        if guest_needs.SUSPEND not in driver.unsupported:
            twice(driver.suspend, UUID)
            assert kit.power() == server_states.SHUTDOWN
            driver.power_on(UUID)
        driver.reboot(UUID, timeout_s=1)
        assert kit.power() == server_states.RUNNING
        assert isinstance(driver.console_output(UUID), bytes)
        assert UUID in driver.directories()
        twice(driver.destroy, UUID)
        assert kit.power() is None
        twice(driver.remove_files, UUID)
        assert UUID not in driver.directories()

    def test_a_disk_becomes_an_image_of_its_own(self, kit):
        kit.spawn()
        kit.driver.pause(UUID)
        target = kit.directory / "copy"
        twice(kit.driver.snapshot, UUID, str(target))
        assert inspector.check(target, "qcow2").virtual_bytes == 1 << 30
        target.unlink()

    def test_volumes_and_interfaces_come_and_go_while_it_runs(self, kit):
        driver, volume = kit.driver, kit.volume
        kit.spawn()
        kit.booted()
        twice(driver.attach_volume, UUID, volume)
        kit.plug()
        twice(driver.attach_interface, UUID, kit.port)
        assert driver.attached_volumes(UUID) == [volume["volume_id"]]
        twice(driver.detach_volume, UUID, volume["volume_id"])
        twice(driver.detach_interface, UUID, kit.port)
        assert driver.attached_volumes(UUID) == []

    def test_what_is_attached_stays_when_it_is_stopped_and_started(self, kit):
        driver, volume = kit.driver, kit.volume
        kit.spawn()
        driver.attach_volume(UUID, volume)
        driver.power_off(UUID, timeout_s=0)
        assert driver.attached_volumes(UUID) == [volume["volume_id"]]
        driver.renew_secrets([volume])
        driver.power_on(UUID)
        assert (driver.attached_volumes(UUID), kit.power()) == ([volume["volume_id"]], server_states.RUNNING)
        driver.power_off(UUID, timeout_s=0)
        twice(driver.detach_volume, UUID, volume["volume_id"])
        assert driver.attached_volumes(UUID) == []

    def test_a_guest_that_is_to_be_deleted_is_not_waited_for(self, kit):
        kit.spawn()
        asked = []

        def is_cancelled() -> bool:
            asked.append(kit.power())
            return True
        kit.driver.power_off(UUID, timeout_s=600, is_cancelled=is_cancelled)
        assert kit.power() == server_states.SHUTDOWN

    def test_rescued_from_another_disk_and_back(self, kit):
        driver = kit.driver
        kit.spawn()
        driver.destroy(UUID)
        for _ in range(2):
            driver.begin_rescue(kit.instance, kit.files)
        twice(driver.spawn, kit.instance, [], [], None)
        assert kit.power() == server_states.RUNNING
        driver.destroy(UUID)
        twice(driver.end_rescue, UUID)
        driver.spawn(kit.instance, [], [], None)
        assert kit.power() == server_states.RUNNING

    @pytest.mark.parametrize("properties", [{"hw_rescue_device": "disk", "hw_rescue_bus": "virtio"},
                                            {"hw_rescue_device": "cdrom", "hw_rescue_bus": "sata"}])
    def test_rescued_from_a_disk_beside_all_others(self, kit, properties):
        driver = kit.driver
        kit.spawn()
        driver.destroy(UUID)
        rescued = {**kit.instance, "rescue_image": {**kit.image, "properties": {**kit.image["properties"], **properties}}}
        for _ in range(2):
            driver.begin_rescue(rescued, kit.files)
        twice(driver.spawn, rescued, [], [kit.volume], None)
        assert kit.power() == server_states.RUNNING and driver.attached_volumes(UUID) == [kit.volume["volume_id"]]
        driver.destroy(UUID)
        twice(driver.end_rescue, UUID)
        driver.spawn(kit.instance, [], [], None)
        assert kit.power() == server_states.RUNNING

    def test_guests_survive_a_restart_of_the_agent(self, kit):
        kit.spawn()
        generation, again = kit.driver.generation(), kit.load()
        assert again.power_states()[UUID] == server_states.RUNNING
        assert again.generation() == generation and not again.lost_guests({UUID})
        assert again.owners()[UUID] == (kit.driver.conf.cloud_id, kit.driver.conf.host)

    def test_a_guest_that_is_gone_went_with_its_host(self, kit):
        kit.spawn()
        kit.driver.destroy(UUID)
        assert kit.driver.lost_guests({UUID}) == {UUID}

    def test_a_guest_that_was_stopped_did_not_go_with_its_host(self, kit):
        kit.spawn()
        kit.driver.power_off(UUID, timeout_s=0)
        assert not kit.driver.lost_guests({UUID})

    def test_consoles_of_a_guest_are_open_while_it_runs(self, kit):
        driver = kit.driver
        kit.spawn()
        kit.booted()
        screen, again, serial = Opened(driver, "vnc"), Opened(driver, "vnc"), Opened(driver, "serial")
        for each in (screen, again):
            each.wait_for(b"RFB 003.008\n")
        serial.wait_for(b"typed", b"typed")
        driver.power_off(UUID, timeout_s=0)
        for each in (screen, again, serial):
            each.wait_end()
        for kind in ("vnc", "serial"):
            with pytest.raises(errors.StepFailed, match="not running"):
                driver.open_console(UUID, kind)

    def test_what_a_running_guest_is_asked(self, kit):
        """Its statistics, an interrupt, a password: the guest of the tests has no agent, or one that knows root."""
        driver = kit.driver
        kit.instance["image_meta"] = {**kit.image, "properties": {**kit.image["properties"], "hw_qemu_guest_agent": "yes"}}
        kit.spawn()
        found = driver.diagnostics(UUID)
        assert found["memory_kb"]["maximum"] > 0 and [cpu["id"] for cpu in found["cpus"]] == [0] and found["nics"] == []
        assert found["disks"][0]["device"] == "vda" and found["memory_stats"]["actual"] > 0
        driver.inject_nmi(UUID)
        assert kit.power() == server_states.RUNNING
        assert driver.placement(UUID) == {"cells": [], "cpus": []} and driver.placement(UUID.replace("1", "9")) is None
        assert driver.set_password(UUID, "root", "x") in ("set", "no agent")
        driver.power_off(UUID, timeout_s=0)
        assert driver.diagnostics(UUID) is None and driver.set_password(UUID, "root", "x") == "not running"
        with pytest.raises(errors.StepFailed):
            driver.inject_nmi(UUID)

    def test_a_missing_guest_is_a_reason_not_a_crash(self, kit):
        for work in (kit.driver.power_on, kit.driver.pause, kit.driver.unpause, kit.driver.suspend):
            with pytest.raises(errors.StepFailed):
                work(UUID)
        with pytest.raises(errors.StepFailed):
            kit.driver.attach_volume(UUID, kit.volume)
        for kind in ("vnc", "serial"):
            with pytest.raises(errors.StepFailed):
                kit.driver.open_console(UUID, kind)
        twice(kit.driver.detach_volume, UUID, kit.volume["volume_id"])  # nothing to let go of
        twice(kit.driver.destroy, UUID)

    def test_resources_are_complete(self, kit):
        found = kit.driver.host_resources()
        assert {"hypervisor_hostname", "vcpus", "memory_mb", "local_gb", "facts"} <= set(found)
        assert {"hypervisor_type", "hypervisor_version", "host_ip", "arch", "cpu_info"} <= set(found["facts"])

    def test_a_guest_sees_that_a_volume_has_grown_once_it_runs(self, kit):
        driver, volume_id = kit.driver, kit.volume["volume_id"]
        kit.spawn()
        driver.attach_volume(UUID, kit.volume)
        driver.pause(UUID)
        kit.grow(2)
        twice(driver.extend_volume, UUID, volume_id, 2)
        assert driver.volume_size_gb(UUID, volume_id) == 2
        driver.unpause(UUID)
        assert driver.volume_size_gb(UUID, volume_id) == 2
        driver.power_off(UUID, timeout_s=0)
        kit.grow(3)
        driver.extend_volume(UUID, volume_id, 3)
        assert driver.volume_size_gb(UUID, volume_id) is None

    def test_a_volume_that_the_guest_has_not_is_a_reason(self, kit):
        kit.spawn()
        with pytest.raises(errors.StepFailed):
            kit.driver.extend_volume(UUID, kit.volume["volume_id"], 2)

    @pytest.mark.parametrize("running", [True, False])
    def test_a_guest_is_made_anew_of_what_was_exported(self, kit, running):
        """As on the host that it moves to, where it runs only if it is to."""
        driver, aside = kit.driver, kit.directory / "aside"
        kit.spawn()
        with pytest.raises(errors.StepFailed, match="runs"):
            driver.export_disks(UUID)
        driver.power_off(UUID, timeout_s=1)
        disks = driver.export_disks(UUID)
        (ephemeral,) = disks["local"]
        with open(ephemeral, "r+b") as written:  # not all of a disk is read: a real one is large
            written.write(b"written by the guest")
        name = pathlib.Path(ephemeral).name
        kept = shutil.copy(ephemeral, kit.directory / "kept")
        if disks["disk"]:
            shutil.copy(disks["disk"], aside)
        driver.destroy(UUID)
        driver.remove_files(UUID)
        with pytest.raises(errors.StepFailed):
            driver.export_disks(UUID)
        for _ in range(2):
            target = driver.begin_import(kit.instance)
            if disks["disk"]:
                shutil.copy(aside, target)
            path, max_bytes = driver.local_paths(kit.instance)[name]
            assert os.path.getsize(kept) <= max_bytes
            shutil.copy(kept, path)
            cached = {part: disks[part] for part in ("base", "kernel", "ramdisk") if disks[part]}
            driver.import_disks(kit.instance, disks, cached)
            driver.spawn(kit.instance, [], [], None, running=running)
        assert kit.power() == (server_states.RUNNING if running else server_states.SHUTDOWN)
        with open(ephemeral, "rb") as copied:
            assert copied.read(20) == b"written by the guest"
        driver.power_on(UUID)
        assert kit.power() == server_states.RUNNING

    def test_disks_are_kept_while_the_guest_is_resized_and_restored(self, kit):
        driver, flavor = kit.driver, kit.instance["flavor"]
        large = {**kit.instance, "flavor": {**flavor, "disk": flavor["disk"] + 1}}
        kit.spawn()
        with pytest.raises(errors.StepFailed, match="runs"):
            driver.keep_disks(UUID, 7)
        driver.power_off(UUID, timeout_s=1)
        before = driver.export_disks(UUID)
        twice(driver.keep_disks, UUID, 7)
        twice(driver.resize_disks, large)
        driver.spawn(large, [], [], None)
        assert kit.power() == server_states.RUNNING
        driver.destroy(UUID)
        for back in (True, False, True):
            twice(driver.restore_disks if back else driver.unrestore_disks, UUID, 7)
            assert driver.export_disks(UUID) == before
            driver.spawn(kit.instance, [], [], None)
            driver.destroy(UUID)
        twice(driver.drop_kept_disks, UUID)
        driver.spawn(kit.instance, [], [], None)
        assert kit.power() == server_states.RUNNING
