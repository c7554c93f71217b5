"""A guest with hardware of many kinds, as its flavor and image ask for it: what libvirt has of it, and what the guest sees."""

import os
import pathlib
import re
import xml.etree.ElementTree as ET

import libvirt
import pytest

from common.periodic import wait_for

pytestmark = pytest.mark.e2e
SPECS = {"hw:cpu_sockets": "1", "hw:cpu_cores": "2", "hw:watchdog_action": "pause", "hw_rng:rate_bytes": "4096",
         "hw:tpm_version": "2.0",
         "quota:disk_write_iops_sec": "5000", "hw:numa_nodes": "1",
         "hw:vif_multiqueue_enabled": "yes"}
PROPERTIES = {"hw_firmware_type": "uefi", "hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi", "hw_serial_port_count": "2",
              "hw_qemu_guest_agent": "yes", "hw_video_model": "virtio", "hw_input_bus": "virtio", "hw_boot_menu": "yes",
              "hw_time_hpet": "yes"}


@pytest.fixture(scope="module")
def server(real):
    call, body = real.client.call, {"name": "hardware", "ram": 256, "vcpus": 2, "disk": 1, "swap": 64,
                                    "OS-FLV-EXT-DATA:ephemeral": 1}
    flavor = call("compute", "POST", "/flavors", {"flavor": body})["flavor"]["id"]
    call("compute", "POST", f"/flavors/{flavor}/os-extra_specs", {"extra_specs": SPECS})
    image = real.upload("hardware", pathlib.Path(os.environ["PILEUS_GUEST_IMAGE"]), "qcow2", **PROPERTIES)
    made = real.boot("hardware", flavorRef=flavor, imageRef=image, block_device_mapping_v2=[
        {"source_type": "image", "destination_type": "local", "boot_index": 0, "uuid": image}, *(
            {"source_type": "blank", "destination_type": "local", "boot_index": -1, "volume_size": size, "guest_format": kind}
            for size, kind in ((1, "ext3"), (48, "swap")))])
    yield made
    real.delete(made["id"])
    call("compute", "DELETE", f"/flavors/{flavor}")
    call("image", "DELETE", f"/images/{image}")


@pytest.fixture(scope="module")
def address(real, server) -> str:
    found = real.floating_ip(server["id"])
    real.ssh(found, "true", timeout_s=240)
    return found


def definition(server: dict) -> ET.Element:
    with libvirt.open("qemu:///system") as connection:
        return ET.fromstring(connection.lookupByUUIDString(server["id"]).XMLDesc())


def attribute(made: ET.Element, path: str, name: str) -> list:
    return [each.get(name) for each in made.iterfind(path)]


def test_libvirt_has_it(server):
    made = definition(server)
    assert attribute(made, "cpu/topology", "cores") == ["2"] and attribute(made, "cpu/numa/cell", "cpus") == ["0-1"]
    assert attribute(made, "devices/disk[@device='disk']/target", "dev") == ["sda", "sdb", "sdc"]
    assert set(attribute(made, "devices/disk[@device='disk']/target", "bus")) == {"scsi"}
    assert [e.text for e in made.iterfind("devices/disk/iotune/write_iops_sec")] == ["5000"] * 3
    assert attribute(made, "devices/watchdog", "action") == ["pause"] and attribute(made, "devices/rng/rate", "bytes") == ["4096"]
    assert attribute(made, "os/bootmenu", "enable") == ["yes"] and made.findtext("os/nvram")
    assert attribute(made, "devices/interface/driver", "queues") == ["2"]
    assert len(made.findall("devices/serial")) == 2 and made.find("devices/channel") is not None


def test_the_guest_sees_it(real, address):
    def see(command: str) -> str:
        return real.ssh(address, command)
    assert re.search(r"cpu cores\s*: 2", see("cat /proc/cpuinfo")) and "node0" in see("ls /sys/devices/system/node")
    assert see("ls -d /sys/firmware/efi").strip() == "/sys/firmware/efi"
    assert {"ttyS0", "ttyS1"} <= set(see("grep -l '^4$' /sys/class/tty/ttyS*/type | cut -d/ -f5").split())
    assert "virtio_rng" in see("cat /sys/class/misc/hw_random/rng_current")
    assert "0x25ab" in see("cat /sys/bus/pci/devices/*/device")  # the watchdog, Intel's 6300ESB
    assert see("ls /sys/class/net/eth0/queues").count("tx-") == 2
    assert see("cat /sys/class/tpm/tpm0/tpm_version_major").strip() == "2"
    # The firmware has measured into it.
    assert set(see("cat /sys/class/tpm/tpm0/pcr-sha256/0").strip()) != {"0"}
    assert "0x1003" in see("cat /sys/bus/pci/devices/*/device")  # virtio serial, for the guest agent


def test_ephemeral_and_swap_disks_are_there_and_formatted(real, address):
    """Linux names SCSI disks in the order in which they answer, so they are looked for by their labels."""
    found = real.ssh(address, "sudo blkid")
    ephemeral = re.search(r'^(/dev/sd\w): .*LABEL="ephemeral0".* TYPE="ext3"', found, re.M)
    swap = re.search(r'^/dev/(sd\w): .*LABEL="swap".* TYPE="swap"', found, re.M)
    assert ephemeral and swap, found
    assert re.search(rf"49152 {swap[1]}$", real.ssh(address, "cat /proc/partitions"), re.M)
    command = f"sudo mount {ephemeral[1]} /mnt && echo kept > /mnt/x && sudo umount /mnt && echo ok"
    assert real.ssh(address, command).strip() == "ok"


def test_a_volume_and_its_name_come_after_them(real, server, address):
    call, where = real.client.call, f"/servers/{server['id']}/os-volume_attachments"
    volume = call("volume", "POST", "/volumes", {"volume": {"size": 1, "name": "after"}})["volume"]["id"]
    wait_for(lambda: real.volume_status(volume) == "available", 60, what="the volume")
    attached = call("compute", "POST", where, {"volumeAttachment": {"volumeId": volume}})["volumeAttachment"]
    assert attached["device"] == "/dev/sdd"
    wait_for(lambda: real.volume_status(volume) == "in-use", 60, what="the attached volume")
    wait_for(lambda: "sdd" in real.ssh(address, "cat /proc/partitions"), 20, what="the guest to see it")
    call("compute", "DELETE", f"{where}/{volume}")
    wait_for(lambda: real.volume_status(volume) == "available", 60, what="the detached volume")
    call("volume", "DELETE", f"/volumes/{volume}")


@pytest.mark.parametrize("name, value, path, needs", [
    ("quota:cpu_shares", "512", "cputune/shares", "cpu-tuning"),
    ("quota:vif_outbound_average", "20000", "devices/interface/bandwidth/outbound", "interface bandwidth limits")])
def test_limits_hold_or_the_host_is_known_not_to_keep_them(real, name, value, path, needs):
    """It depends on the kernel, which the agent asks."""
    call = real.client.call
    flavor = call("compute", "POST", "/flavors", {"flavor": {"name": name, "ram": 128, "vcpus": 1, "disk": 1}})["flavor"]["id"]
    call("compute", "POST", f"/flavors/{flavor}/os-extra_specs", {"extra_specs": {name: value}})
    made = call("compute", "POST", "/servers", {"server": {
        "name": "limited", "imageRef": real.image, "flavorRef": flavor,
        "networks": [{"uuid": real.networks["private"]}]}})["server"]["id"]

    def built():
        found = call("compute", "GET", f"/servers/{made}")["server"]
        return found if found["status"] != "BUILD" else None
    found = wait_for(built, 120, what="the server")
    if found["status"] == "ACTIVE":
        assert definition(found).find(path) is not None
    else:
        assert needs in found["fault"]["message"]
    real.delete(made)
    call("compute", "DELETE", f"/flavors/{flavor}")


def test_what_no_host_has_is_refused_with_its_name(real):
    call = real.client.call
    flavor = call("compute", "POST", "/flavors", {"flavor": {"name": "huge", "ram": 64, "vcpus": 1, "disk": 1}})["flavor"]["id"]
    call("compute", "POST", f"/flavors/{flavor}/os-extra_specs", {"extra_specs": {
        "hw:mem_page_size": "1GB", "hw:cpu_policy": "dedicated"}})
    made = call("compute", "POST", "/servers", {"server": {
        "name": "huge", "imageRef": real.image, "flavorRef": flavor, "networks": "none"}}, version="2.37")["server"]["id"]

    def failed():
        found = call("compute", "GET", f"/servers/{made}")["server"]
        return found.get("fault") if found["status"] == "ERROR" else None
    assert "1 dedicated CPUs" in wait_for(failed, 60, what="the refusal")["message"]
    real.delete(made)
    call("compute", "DELETE", f"/flavors/{flavor}")
