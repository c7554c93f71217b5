"""The compute API's older doors: security groups and fixed addresses asked of it, and /v2 without microversions."""

import time
import urllib.parse

import pytest

from common.periodic import wait_for
from compute_api.metadata.app import sign
from deploy.prepare import ensure_secrets
from tests.conftest import new_volume, volume_status
from tests.functional.test_stories import refused, server_body, wait_gone, wait_status


def test_security_groups_through_compute(cloud):
    def call(method, path, body=None, version="2.1"):
        return cloud.client.call("compute", method, path, body, version=version)
    made = call("POST", "/os-security-groups", {"security_group": {"name": "web", "description": "d"}})["security_group"]
    rule = call("POST", "/os-security-group-rules", {"security_group_rule": {
        "parent_group_id": made["id"], "ip_protocol": "tcp", "from_port": 80, "to_port": 80}})["security_group_rule"]
    assert (rule["ip_range"], rule["group"]) == ({"cidr": "0.0.0.0/0"}, {})
    within = call("POST", "/os-security-group-rules", {"security_group_rule": {
        "parent_group_id": made["id"], "ip_protocol": "icmp", "group_id": made["id"]}})["security_group_rule"]
    assert within["group"]["name"] == "web" and (within["from_port"], within["to_port"]) == (-1, -1)
    shown = call("GET", f"/os-security-groups/{made['id']}")["security_group"]
    assert {r["id"] for r in shown["rules"]} == {rule["id"], within["id"]}
    refused(404, cloud.client, "compute", "GET", "/os-security-groups", version="2.36")
    server = call("POST", "/servers", server_body(cloud.client, "grouped"), "2.37")["server"]
    wait_status(cloud.client, server["id"])
    action = f"/servers/{server['id']}/action"
    call("POST", action, {"addSecurityGroup": {"name": "web"}})
    names = {g["name"] for g in call("GET", f"/servers/{server['id']}/os-security-groups")["security_groups"]}
    assert names == {"default", "web"}
    refused(400, cloud.client, "compute", "DELETE", f"/os-security-groups/{made['id']}", version="2.1")
    call("POST", action, {"removeSecurityGroup": {"name": "web"}})
    refused(404, cloud.client, "compute", "POST", action, {"removeSecurityGroup": {"name": "web"}}, version="2.1")
    network = cloud.client.find("network", "networks", "private")["id"]
    call("POST", action, {"addFixedIp": {"networkId": network}})
    addresses = [a["addr"] for a in call("GET", f"/servers/{server['id']}/ips")["addresses"]["private"]]
    assert len(addresses) == 2
    call("POST", action, {"removeFixedIp": {"address": addresses[1]}})
    assert [a["addr"] for a in call("GET", f"/servers/{server['id']}/ips")["addresses"]["private"]] == addresses[:1]
    refused(404, cloud.client, "compute", "POST", action, {"addFixedIp": {"networkId": network}}, version="2.44")
    call("DELETE", f"/servers/{server['id']}")
    wait_gone(cloud.client, server["id"])
    call("DELETE", f"/os-security-group-rules/{rule['id']}")
    call("DELETE", f"/os-security-groups/{made['id']}")
    refused(404, cloud.client, "compute", "GET", f"/os-security-groups/{made['id']}", version="2.1")


def test_floating_ips_by_the_old_routes(cloud, member):
    def call(method, path, body=None):
        return cloud.client.call("compute", method, path, body, version="2.1")
    assert {"name": "public"} in call("GET", "/os-floating-ip-pools")["floating_ip_pools"]
    refused(404, cloud.client, "compute", "GET", "/os-floating-ips", version="2.36")
    refused(404, cloud.client, "compute", "POST", "/os-floating-ips", {"pool": "nowhere"}, version="2.1")
    made = call("POST", "/os-floating-ips", {"pool": "public"})["floating_ip"]
    assert (made["pool"], made["fixed_ip"], made["instance_id"]) == ("public", None, None)
    refused(404, member, "compute", "GET", f"/os-floating-ips/{made['id']}", version="2.1")
    server = call("POST", "/servers", server_body(cloud.client, "old-floating"))["server"]["id"]
    wait_status(cloud.client, server)
    action = f"/servers/{server}/action"
    refused(400, cloud.client, "compute", "POST", action, {"addFloatingIp": {"address": made["ip"], "fixed_address": "10.9.9.9"}},
            version="2.1")
    refused(404, cloud.client, "compute", "POST", action, {"addFloatingIp": {"address": "10.9.9.9"}}, version="2.1")
    refused(404, cloud.client, "compute", "POST", action, {"addFloatingIp": {"address": made["ip"]}}, version="2.44")
    refused(409, cloud.client, "compute", "POST", action, {"removeFloatingIp": {"address": made["ip"]}}, version="2.1")
    call("POST", action, {"addFloatingIp": {"address": made["ip"]}})
    shown = call("GET", f"/os-floating-ips/{made['id']}")["floating_ip"]
    assert shown["instance_id"] == server and shown["fixed_ip"].startswith("10.")
    assert shown in call("GET", "/os-floating-ips")["floating_ips"]
    second = call("POST", "/os-floating-ips", {"pool": "public"})["floating_ip"]
    refused(400, cloud.client, "compute", "POST", action, {"addFloatingIp": {"address": second["ip"]}}, version="2.1")
    call("DELETE", f"/os-floating-ips/{second['id']}")
    call("POST", action, {"removeFloatingIp": {"address": made["ip"]}})
    assert call("GET", f"/os-floating-ips/{made['id']}")["floating_ip"]["instance_id"] is None
    call("DELETE", f"/os-floating-ips/{made['id']}")
    refused(404, cloud.client, "compute", "GET", f"/os-floating-ips/{made['id']}", version="2.1")
    refused(409, cloud.client, "compute", "POST", action, {"restore": None})
    call("DELETE", f"/servers/{server}")
    wait_gone(cloud.client, server)


def test_a_server_shows_the_groups_that_it_has(cloud):
    client = cloud.client
    server = client.call("compute", "POST", "/servers", server_body(client, "grouped"))["server"]
    assert server["security_groups"] == [{"name": "default"}]
    path, action = f"/servers/{server['id']}", f"/servers/{server['id']}/action"
    assert wait_status(client, server["id"])["security_groups"] == [{"name": "default"}]
    group = client.call("network", "POST", "/security-groups", {"security_group": {"name": "extra"}})["security_group"]["id"]
    client.call("compute", "POST", action, {"addSecurityGroup": {"name": "extra"}})
    assert sorted(g["name"] for g in client.call("compute", "GET", path)["server"]["security_groups"]) == ["default", "extra"]
    for name in ("default", "extra"):
        client.call("compute", "POST", action, {"removeSecurityGroup": {"name": name}})
    assert "security_groups" not in client.call("compute", "GET", path)["server"]
    client.call("compute", "DELETE", path)
    wait_gone(client, server["id"])
    client.call("network", "DELETE", f"/security-groups/{group}")


def test_v2_is_21_without_microversions(cloud):
    root = cloud.client.url("compute").removesuffix("/v2.1")
    headers = {"X-Auth-Token": cloud.client.token, "OpenStack-API-Version": "compute 2.53"}
    answer = cloud.client.pool.request("GET", f"{root}/v2/{cloud.client.project_id}/flavors/detail", headers=headers)
    assert answer.status == 200 and answer.headers["OpenStack-API-Version"] == "compute 2.1"
    assert cloud.client.pool.request("GET", f"{root}/v2/", headers=headers).json()["version"]["id"] == "v2.0"


def test_the_password_that_a_guest_posts(cloud):
    """Posted once, signed as the network agent signs it; shown to its owner, and again postable when he clears it."""
    server = cloud.client.find("compute", "servers", "first", "/servers/detail")
    secret = ensure_secrets(cloud.state)["metadata_secret"]
    url = f"http://127.0.0.1:{8775 + cloud.offset}/openstack/2013-10-17/password"

    def post(body: bytes) -> int:
        return cloud.client.pool.request("POST", url, body=body, headers={
            "X-Instance-ID": server["id"], "X-Tenant-ID": server["tenant_id"],
            "X-Instance-ID-Signature": sign(secret, server["id"])}).status
    path = f"/servers/{server['id']}/os-server-password"
    assert cloud.client.call("compute", "GET", path) == {"password": ""}
    assert [post(b"x" * 1021), post(b"sealed"), post(b"again")] == [400, 200, 409]
    assert cloud.client.call("compute", "GET", path) == {"password": "sealed"}
    cloud.client.call("compute", "DELETE", path)
    assert cloud.client.call("compute", "GET", path) == {"password": ""}


def test_volumes_attached_by_word_alone(cloud):
    """os-attach and os-detach change states; what the compute service holds they cannot take from it."""
    call = cloud.client.call
    volume = new_volume(cloud.client, "word")

    def status() -> str:
        return volume_status(cloud.client, volume)
    action = f"/volumes/{volume}/action"
    for name, after in (("os-reserve", "attaching"), ("os-unreserve", "available")):
        call("volume", "POST", action, {name: {}})
        assert status() == after
    refused(400, cloud.client, "volume", "POST", action, {"os-attach": {"mountpoint": "/dev/vdc"}})
    call("volume", "POST", action, {"os-attach": {"host_name": "elsewhere", "mountpoint": "/dev/vdc"}})
    assert status() == "in-use"
    refused(400, cloud.client, "volume", "DELETE", f"/volumes/{volume}")
    call("volume", "POST", action, {"os-detach": {}})
    server = cloud.client.find("compute", "servers", "first", "/servers/detail")["id"]
    path = f"/servers/{server}/os-volume_attachments"
    for _ in range(5):  # the volume's word is enough: whoever reads "in-use" may detach, "available" may attach
        call("compute", "POST", path, {"volumeAttachment": {"volumeId": volume}})
        wait_for(lambda: status() == "in-use", 20, every_s=0.01, what="the attachment")
        refused(409, cloud.client, "volume", "POST", action, {"os-detach": {}})
        call("compute", "DELETE", f"{path}/{volume}")
        wait_for(lambda: status() == "available", 20, every_s=0.01, what="the detachment")
    call("volume", "DELETE", f"/volumes/{volume}")


def test_an_owners_port_outlives_its_attachment(cloud):
    """Detaching gives the port back; the action's event says so, by the name for which clients wait."""
    call = cloud.client.call
    server = cloud.client.find("compute", "servers", "first", "/servers/detail")["id"]

    def plugged() -> int:
        return call("network", "GET", "/agents")["agents"][0]["configurations"]["ports"]
    before = len(call("network", "GET", "/ports?device_owner=compute:nova&fields=id")["ports"])
    port = call("network", "POST", "/ports", {"port": {"network_id": call("network", "GET", "/networks?name=private")[
        "networks"][0]["id"]}})["port"]["id"]
    path = f"/servers/{server}/os-interface"
    assert call("compute", "POST", path, {"interfaceAttachment": {"port_id": port}})["interfaceAttachment"]["port_id"] == port
    call("compute", "DELETE", f"{path}/{port}")

    def results() -> list:
        request = call("compute", "GET", f"/servers/{server}/os-instance-actions")["instanceActions"][0]["request_id"]
        events = call("compute", "GET", f"/servers/{server}/os-instance-actions/{request}")["instanceAction"]["events"]
        return [e["result"] for e in events if e["event"] == "compute_detach_interface"]
    assert wait_for(results, 20, what="the event") == ["Success"]
    assert call("network", "GET", f"/ports/{port}")["port"]["device_id"] == ""
    wait_for(lambda: plugged() == before, 25, every_s=0.5, what="the host's agent to unplug it")
    call("network", "DELETE", f"/ports/{port}")


@pytest.mark.alone
def test_names_are_found_by_expressions_that_cannot_run_away(cloud):
    call = cloud.client.call
    for text, found in (("fir", True), ("^f.*t$", True), ("^irst$", False), ("f[a-z]+", True), ("f\\-", False), ("%", False)):
        names = [s["name"] for s in call("compute", "GET", "/servers?" + urllib.parse.urlencode({"name": text}))["servers"]]
        assert ("first" in names) is found, text
    started = time.monotonic()
    for text in ("(a+)+$", "a?" * 60 + "a" * 60, "a*b*c*d*z", "(x|xx)*y"):
        assert call("compute", "GET", "/servers?" + urllib.parse.urlencode({"name": text}))["servers"] == []
    assert time.monotonic() - started < 2
    for text in ("[z-a]", "[", "(?=a)", r"(a)\1", "a" * 300 + "."):
        refused(400, cloud.client, "compute", "GET", "/servers?" + urllib.parse.urlencode({"name": text}))
