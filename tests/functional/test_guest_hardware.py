"""Extra specs and image properties that contradict each other are refused; what no host has, too, with its name."""

import pytest

from common.periodic import wait_for
from tests.functional.test_stories import refused, server_body, wait_gone, wait_status


@pytest.fixture
def flavor(cloud):
    """Makes a flavor with extra specs."""
    made = []

    def make(specs: dict, **more) -> str:
        body = {"name": f"hardware-{len(made)}", "ram": 64, "vcpus": 2, "disk": 1, **more}
        made.append(cloud.client.call("compute", "POST", "/flavors", {"flavor": body})["flavor"]["id"])
        cloud.client.call("compute", "POST", f"/flavors/{made[-1]}/os-extra_specs", {"extra_specs": specs})
        return made[-1]
    yield make
    for each in made:
        cloud.client.call("compute", "DELETE", f"/flavors/{each}")


@pytest.fixture
def image(cloud):
    """Makes an image with properties."""
    made = []

    def make(**properties) -> str:
        body = {"name": "hardware", "disk_format": "raw", "container_format": "bare", **properties}
        made.append(cloud.client.call("image", "POST", "/images", body)["id"])
        cloud.client.call("image", "PUT", f"/images/{made[-1]}/file", raw=b"\1" * 512, content_type="application/octet-stream")
        return made[-1]
    yield make
    for each in made:
        cloud.client.call("image", "DELETE", f"/images/{each}")


def test_contradictions_are_refused(cloud, flavor, image):
    client = cloud.client
    shared, serial = flavor({"hw:cpu_policy": "shared"}), flavor({"hw:serial_port_count": "1"})
    for chosen, properties, says in ((shared, {"hw_cpu_policy": "dedicated"}, "not permitted to override CPU pinning policy"),
                                     (serial, {"hw_serial_port_count": "2"}, "Forbidden to exceed flavor value"),
                                     ("42", {"hw_disk_bus": "fdc"}, "hw_disk_bus"),
                                     ("42", {"os_secure_boot": "required"}, "hw_firmware_type=uefi")):
        body = server_body(client, "no", flavorRef=chosen, imageRef=image(**properties))
        assert says in refused(400, client, "compute", "POST", "/servers", body)
    assert "not supported" in refused(400, client, "compute", "POST", "/servers", server_body(
        client, "no", flavorRef=flavor({"hw:mem_encryption": "true"})))


def test_a_rebuild_and_a_resize_are_checked_too(cloud, flavor, image):
    client = cloud.client
    chosen = flavor({"hw:serial_port_count": "1"})
    server = client.call("compute", "POST", "/servers", server_body(client, "checked", flavorRef=chosen, imageRef=image(
        hw_disk_bus="scsi", hw_scsi_model="virtio-scsi")))["server"]["id"]
    wait_status(client, server)
    shown = client.call("compute", "GET", f"/servers/{server}", version="2.3")["server"]
    assert shown["OS-EXT-SRV-ATTR:root_device_name"] == "/dev/sda"
    where = f"/servers/{server}/action"
    assert "Forbidden to exceed" in refused(400, client, "compute", "POST", where, {"rebuild": {
        "imageRef": image(hw_serial_port_count="2")}})
    assert "No valid host was found" in (text := refused(400, client, "compute", "POST", where, {"rebuild": {
        "name": "lost", "imageRef": image(hw_machine_type="isapc")}})) and "machine type isapc" in text
    now = client.call("compute", "GET", f"/servers/{server}", version="2.3")["server"]
    assert {**now, "updated": ""} == {**shown, "updated": ""}, "it is as it was"
    client.call("compute", "POST", where, {"pause": None})
    wait_status(client, server, "PAUSED")
    assert "vm_state paused" in refused(409, client, "compute", "POST", where, {"rebuild": {
        "imageRef": image(hw_machine_type="isapc")}}), "whatever its host lacks"
    wrong = flavor({"hw:numa_nodes": "3"}, vcpus=2)
    assert "evenly" in refused(400, client, "compute", "POST", where, {"resize": {"flavorRef": wrong}})
    client.call("compute", "DELETE", f"/servers/{server}")
    wait_gone(client, server)


def test_the_topology_says_what_the_server_has_and_operators_where_it_is(cloud, flavor, image, member):
    client = member
    chosen = flavor({"hw:numa_nodes": "2", "hw:cpu_policy": "dedicated", "hw:mem_page_size": "2048", "hw:cpu_threads": "2"},
                    vcpus=4)
    server = client.call("compute", "POST", "/servers", server_body(cloud.client, "cells", flavorRef=chosen))["server"]["id"]
    wait_status(client, server)
    node = {"memory_mb": 32, "siblings": [[0, 1]], "vcpu_set": [0, 1]}
    second = {**node, "siblings": [[2, 3]], "vcpu_set": [2, 3]}

    def shown(by):
        return by.call("compute", "GET", f"/servers/{server}/topology", version="2.78")
    assert shown(client) == {"nodes": [node, second], "pagesize_kb": 2048}
    # A fake host has neither nodes nor CPUs.
    assert shown(cloud.client)["nodes"] == [{**n, "cpu_pinning": {}} for n in (node, second)]
    (service,) = cloud.client.call("compute", "GET", "/os-services?binary=nova-compute", version="2.53")["services"]

    def force_down(value: bool) -> None:
        cloud.client.call("compute", "PUT", f"/os-services/{service['id']}", {"forced_down": value}, version="2.53")
    force_down(True)
    assert shown(cloud.client)["nodes"] == [node, second], "as much as is known without the host"
    force_down(False)
    client.call("compute", "DELETE", f"/servers/{server}")
    wait_gone(client, server)


def test_what_no_host_has_is_named(cloud, flavor, image):
    client = cloud.client
    chosen = flavor({"hw:numa_nodes": "4", "hw:cpu_policy": "dedicated"}, vcpus=4)
    server = client.call("compute", "POST", "/servers", server_body(
        client, "nowhere", flavorRef=chosen, imageRef=image(hw_machine_type="isapc")))["server"]["id"]

    def fault():
        found = client.call("compute", "GET", f"/servers/{server}")["server"]
        return found.get("fault") if found["status"] == "ERROR" else None
    text = wait_for(fault, 30, what="the refusal")["message"]
    assert "without hardware that the flavor or the image asks for" in text
    assert "(machine type isapc, 4 dedicated CPUs, 4 NUMA nodes of 16 MiB)" in text
    client.call("compute", "DELETE", f"/servers/{server}")
    wait_gone(client, server)


def test_what_a_servers_tpm_would_not_survive_is_refused(cloud, flavor):
    client = cloud.client
    server = client.call("compute", "POST", "/servers", server_body(
        client, "tpm", flavorRef=flavor({"hw:tpm_version": "2.0"})))["server"]
    wait_status(client, server["id"])
    image = client.find("image", "images", "cirros")["id"]
    for operation, body in (("rebuild", {"rebuild": {"imageRef": image}}), ("rescue", {"rescue": None}),
                            ("shelve", {"shelve": None}), ("evacuate", {"evacuate": {}})):
        said = refused(400, client, "compute", "POST", f"/servers/{server['id']}/action", body)
        assert f"Operation '{operation}' not supported for vTPM-enabled instance" in said
    client.call("compute", "DELETE", f"/servers/{server['id']}")
    wait_gone(client, server["id"])


def test_traits_that_hosts_have_or_lack(cloud, flavor):
    client = cloud.client
    for specs, status in (({"trait:COMPUTE_SECURITY_TPM_2_0": "required", "trait:CUSTOM_GOLD": "forbidden"}, "ACTIVE"),
                          ({"trait:CUSTOM_GOLD": "required"}, "ERROR"), ({"trait:kind": "small"}, "ACTIVE")):
        made = client.call("compute", "POST", "/servers", server_body(client, "traits", flavorRef=flavor(specs)))["server"]["id"]
        shown = wait_status(client, made, status)
        assert status == "ACTIVE" or "trait CUSTOM_GOLD" in shown["fault"]["message"]
        client.call("compute", "DELETE", f"/servers/{made}")
        wait_gone(client, made)
    wrong = {"extra_specs": {"trait:CUSTOM_GOLD": "maybe"}}
    refused(400, client, "compute", "POST", f"/flavors/{flavor({'hw:boot_menu': 'no'})}/os-extra_specs", wrong, version="2.86")


def test_ports_get_several_queues_with_the_image_that_asks_for_them(cloud, flavor, image):
    client = cloud.client
    plain, many = image(), image(hw_vif_multiqueue_enabled="yes")
    server = client.call("compute", "POST", "/servers", server_body(
        client, "queues", flavorRef=flavor({"hw:boot_menu": "yes"}), imageRef=plain))["server"]["id"]
    wait_status(client, server)

    def profile() -> dict:
        (port,) = client.call("network", "GET", f"/ports?device_id={server}")["ports"]
        assert port["status"] == "ACTIVE"
        return port["binding:profile"]
    assert profile() == {}
    for chosen, expected in ((many, {"multiqueue": True}), (plain, {})):
        client.call("compute", "POST", f"/servers/{server}/action", {"rebuild": {"imageRef": chosen}})
        wait_status(client, server)
        assert profile() == expected
    client.call("compute", "DELETE", f"/servers/{server}")
    wait_gone(client, server)
