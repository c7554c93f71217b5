"""Ids in paths and bodies that are no ids, or lead out of the place where they are put."""

import json

import pytest

OWN = "/servers/{server}"
BAD = ["x/../y", "../images", "a?b=c", "a#b", "?id=1", "%2e%2e", "..", "\ud800", "a\nb"]


@pytest.fixture(scope="module")
def server(cloud):
    found = cloud.client.find("compute", "servers", "first", "/servers/detail")
    return found["id"]


def _refused(cloud, method, service, where, body=None, *, statuses=(400, 404), version="2.53"):
    answer = cloud.client.pool.request(
        method, cloud.client.url(service) + where, body=None if body is None else json.dumps(body), headers={
            "X-Auth-Token": cloud.client.token, "Content-Type": "application/json",
            "OpenStack-API-Version": f"compute {version}"})
    assert answer.status in statuses, (where, body, answer.status, answer.data)


@pytest.mark.parametrize("bad", BAD)
def test_a_body_names_an_image_by_an_id(cloud, server, bad):
    for body in ({"server": {"name": "s", "flavorRef": "42", "imageRef": bad, "networks": "none"}},
                 {"server": {"name": "s", "flavorRef": "42", "networks": "none", "block_device_mapping_v2": [
                     {"source_type": "volume", "destination_type": "volume", "uuid": bad, "boot_index": 0}]}},
                 {"server": {"name": "s", "flavorRef": "42", "networks": "none", "block_device_mapping_v2": [
                     {"source_type": "image", "destination_type": "volume", "uuid": bad, "boot_index": 0,
                      "volume_size": 1}]}}):
        _refused(cloud, "POST", "compute", "/servers", body)
    for body in ({"rebuild": {"imageRef": bad}}, {"rescue": {"rescue_image_ref": bad}}):
        _refused(cloud, "POST", "compute", OWN.format(server=server) + "/action", body)
    _refused(cloud, "POST", "volume", "/volumes", {"volume": {"size": 1, "imageRef": bad}})


@pytest.mark.parametrize("bad", BAD)
def test_a_body_names_ports_and_networks_by_ids(cloud, server, bad):
    image = cloud.client.find("image", "images", "cirros")["id"]
    for wanted in ({"port": bad}, {"uuid": bad}):
        _refused(cloud, "POST", "compute", "/servers", {"server": {
            "name": "s", "flavorRef": "42", "imageRef": image, "networks": [wanted]}})
    for wanted in ({"port_id": bad}, {"net_id": bad}):
        _refused(cloud, "POST", "compute", OWN.format(server=server) + "/os-interface", {"interfaceAttachment": wanted})
    _refused(cloud, "POST", "compute", OWN.format(server=server) + "/os-volume_attachments", {
        "volumeAttachment": {"volumeId": bad}})


def test_a_path_names_one_port(cloud, server):
    """A question mark in the path's last part made the rest of it a query of the network service: any port went."""
    made = cloud.client.call("network", "GET", f"/ports?device_id={server}")["ports"][0]["id"]
    network = cloud.client.call("network", "GET", "/networks")["networks"][0]["id"]
    other = cloud.client.call("network", "POST", "/ports", {"port": {"network_id": network}})["port"]["id"]
    try:
        for where in (f"/os-interface/{other}%3F&id={made}", f"/os-interface/{other}%3Fx", f"/os-interface/{other}%23",
                      "/os-interface/%2e%2e", f"/os-interface/{other}"):
            _refused(cloud, "DELETE", "compute", OWN.format(server=server) + where, statuses=(404,))
            _refused(cloud, "GET", "compute", OWN.format(server=server) + where, statuses=(404,))
        assert cloud.client.call("network", "GET", f"/ports/{other}")["port"]["id"] == other
    finally:
        cloud.client.call("network", "DELETE", f"/ports/{other}")


@pytest.mark.parametrize("bad", ["a%3Fb", "a%23b", "%2e%2e", "..%2fx", "a%0Ab"])
def test_paths_of_what_is_passed_on(cloud, bad):
    for method, where in (("GET", f"/os-security-groups/{bad}"), ("DELETE", f"/os-security-groups/{bad}"),
                          ("DELETE", f"/os-security-group-rules/{bad}"), ("GET", f"/os-floating-ips/{bad}"),
                          ("DELETE", f"/os-floating-ips/{bad}")):
        _refused(cloud, method, "compute", where, version="2.1")
