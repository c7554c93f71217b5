"""What changed between compute 2.53 and 2.104, each step from both sides."""

import contextlib
import json
import pathlib
import re

import pytest

from common.periodic import wait_for
from compute_api.router import ROUTES
from tests.conftest import new_volume, volume_status
from tests.functional.test_stories import refused, server_body, wait_gone, wait_status


@pytest.fixture(scope="module")
def server(cloud):
    made = cloud.client.call("compute", "POST", "/servers", server_body(cloud.client, "versions", key_name=None))["server"]["id"]
    wait_status(cloud.client, made)
    yield made
    cloud.client.call("compute", "DELETE", f"/servers/{made}")
    wait_gone(cloud.client, made)


def at(cloud, version: str, method: str, path: str, body=None):
    return cloud.client.call("compute", method, path, body, version=version)


def test_flavors(cloud):
    body = {"flavor": {"name": "described", "ram": 64, "vcpus": 1, "disk": 1, "description": "words"}}
    refused(400, cloud.client, "compute", "POST", "/flavors", body)
    made = at(cloud, "2.55", "POST", "/flavors", body)["flavor"]
    path = f"/flavors/{made['id']}"
    assert made["description"] == "words" and "extra_specs" not in made and made["swap"] == ""
    at(cloud, "2.55", "PUT", path, {"flavor": {"description": "other"}})
    refused(404, cloud.client, "compute", "PUT", path, {"flavor": {"description": "other"}})
    at(cloud, "2.61", "POST", path + "/os-extra_specs", {"extra_specs": {"hw:x": "1"}})
    shown = at(cloud, "2.75", "GET", path)["flavor"]
    assert (shown["description"], shown["extra_specs"], shown["swap"]) == ("other", {"hw:x": "1"}, 0)
    assert {"description"} <= set(at(cloud, "2.55", "GET", "/flavors")["flavors"][0])
    at(cloud, "2.1", "DELETE", path)


def test_rebuild_with_key_and_user_data(cloud, server):
    at(cloud, "2.2", "POST", "/os-keypairs", {"keypair": {"name": "second"}})
    image = at(cloud, "2.1", "GET", f"/servers/{server}")["server"]["image"]["id"]
    body = {"rebuild": {"imageRef": image, "key_name": "second", "user_data": "aGVsbG8="}}
    for version in ("2.53", "2.56"):
        refused(400, cloud.client, "compute", "POST", f"/servers/{server}/action", body, version=version)
    rebuilt = at(cloud, "2.57", "POST", f"/servers/{server}/action", body)["server"]
    assert (rebuilt["key_name"], rebuilt["user_data"]) == ("second", "aGVsbG8=") and "OS-EXT-AZ:availability_zone" not in rebuilt
    wait_status(cloud.client, server)
    whole = at(cloud, "2.75", "POST", f"/servers/{server}/action", {"rebuild": {"imageRef": image, "key_name": None}})["server"]
    assert whole["key_name"] is None and "OS-EXT-AZ:availability_zone" in whole
    assert whole["user_data"] == "aGVsbG8=" and "OS-EXT-SRV-ATTR:user_data" not in whole
    wait_status(cloud.client, server)
    refused(400, cloud.client, "compute", "POST", f"/servers/{server}/action", {"rebuild": {
        "imageRef": image, "trusted_image_certificates": ["a"]}}, version="2.63")
    at(cloud, "2.2", "DELETE", "/os-keypairs/second")


def test_actions_are_paged(cloud, server):
    path = f"/servers/{server}/os-instance-actions"
    for name in ("lock", "unlock"):
        at(cloud, "2.1", "POST", f"/servers/{server}/action", {name: None})
    everything = at(cloud, "2.58", "GET", path)["instanceActions"]
    first = at(cloud, "2.58", "GET", path + "?limit=1")
    assert first["instanceActions"] == everything[:1] and "marker=" in first["links"][0]["href"]
    rest = at(cloud, "2.58", "GET", f"{path}?marker={everything[0]['request_id']}")["instanceActions"]
    assert rest == everything[1:] and len(rest) >= 2 and "updated_at" not in at(cloud, "2.57", "GET", path)["instanceActions"][0]
    created = everything[-1]["updated_at"]
    assert at(cloud, "2.66", "GET", f"{path}?changes-before={created[:19]}")["instanceActions"] in (everything[-1:], [])
    assert at(cloud, "2.66", "GET", f"{path}?changes-since=2000-01-01T00:00:00")["instanceActions"] == everything
    refused(400, cloud.client, "compute", "GET", f"{path}?changes-since=2020-01-01&changes-before=2019-01-01", version="2.66")
    refused(400, cloud.client, "compute", "GET", f"{path}?marker=req-none", version="2.58")
    event = at(cloud, "2.84", "GET", f"{path}/{everything[-1]['request_id']}")["instanceAction"]["events"][0]
    assert event["host"] == "fake-host" and len(event["hostId"]) == 56 and "details" in event


def test_server_groups_with_rules(cloud):
    old = {"server_group": {"name": "apart", "policies": ["anti-affinity"]}}
    new = {"server_group": {"name": "apart", "policy": "anti-affinity", "rules": {"max_server_per_host": 2}}}
    refused(400, cloud.client, "compute", "POST", "/os-server-groups", new, version="2.63")
    refused(400, cloud.client, "compute", "POST", "/os-server-groups", old, version="2.64")
    refused(400, cloud.client, "compute", "POST", "/os-server-groups", {"server_group": {
        **new["server_group"], "policy": "affinity"}}, version="2.64")
    group = at(cloud, "2.64", "POST", "/os-server-groups", new)["server_group"]
    assert (group["policy"], group["rules"]) == ("anti-affinity", {"max_server_per_host": 2}) and "policies" not in group
    assert at(cloud, "2.63", "GET", f"/os-server-groups/{group['id']}")["server_group"]["policies"] == ["anti-affinity"]
    made = []
    for expected in ("ACTIVE", "ACTIVE", "ERROR"):
        body = {**server_body(cloud.client, "grouped"), "os:scheduler_hints": {"group": group["id"]}}
        made.append(at(cloud, "2.53", "POST", "/servers", body)["server"]["id"])
        wait_status(cloud.client, made[-1], expected)
    assert at(cloud, "2.71", "GET", f"/servers/{made[0]}")["server"]["server_groups"] == [group["id"]]
    assert "server_groups" not in at(cloud, "2.71", "GET", "/servers/detail")["servers"][0]
    for one in made:
        at(cloud, "2.1", "DELETE", f"/servers/{one}")
        wait_gone(cloud.client, one)
    at(cloud, "2.1", "DELETE", f"/os-server-groups/{group['id']}")


def test_locks_have_reasons(cloud, server):
    lock = {"lock": {"locked_reason": "audit"}}
    refused(400, cloud.client, "compute", "POST", f"/servers/{server}/action", lock, version="2.72")
    at(cloud, "2.73", "POST", f"/servers/{server}/action", lock)
    shown = at(cloud, "2.73", "GET", f"/servers/{server}")["server"]
    assert (shown["locked"], shown["locked_reason"]) == (True, "audit")
    assert [s["id"] for s in at(cloud, "2.73", "GET", "/servers?locked=true")["servers"]] == [server]
    at(cloud, "2.73", "POST", f"/servers/{server}/action", {"unlock": None})
    assert at(cloud, "2.73", "GET", f"/servers/{server}")["server"]["locked_reason"] is None


def test_admins_choose_the_host(cloud, member):
    body = {**server_body(cloud.client, "placed")["server"], "host": "fake-host"}
    refused(400, cloud.client, "compute", "POST", "/servers", {"server": body}, version="2.73")
    refused(400, cloud.client, "compute", "POST", "/servers", {"server": {**body, "host": "elsewhere"}}, version="2.74")
    refused(403, member, "compute", "POST", "/servers", {"server": body}, version="2.74")
    for more in ({"host": "fake-host"}, {"hypervisor_hostname": "fake-host"}, {"availability_zone": "nova:fake-host"}):
        made = at(cloud, "2.74", "POST", "/servers", {"server": {**server_body(cloud.client, "placed")["server"], **more}})
        shown = wait_status(cloud.client, made["server"]["id"])
        assert (shown["OS-EXT-SRV-ATTR:host"], shown["OS-EXT-AZ:availability_zone"]) == ("fake-host", "nova")
        at(cloud, "2.1", "DELETE", f"/servers/{made['server']['id']}")
        wait_gone(cloud.client, made["server"]["id"])


def test_unknown_query_parameters(cloud):
    for path in ("/servers", "/flavors", "/os-keypairs", "/os-server-groups", "/limits"):
        at(cloud, "2.74", "GET", f"{path}?unknown=1")
        assert "'unknown' was unexpected" in refused(400, cloud.client, "compute", "GET", f"{path}?unknown=1", version="2.75")


def test_quotas_without_what_is_gone(cloud):
    project = cloud.client.project_id
    assert "injected_files" in at(cloud, "2.56", "GET", f"/os-quota-sets/{project}")["quota_set"]
    assert "injected_files" not in at(cloud, "2.57", "GET", f"/os-quota-sets/{project}")["quota_set"]
    gone = {"quota_set": {"injected_files": -1}}
    refused(400, cloud.client, "compute", "PUT", f"/os-quota-sets/{project}", gone, version="2.57")
    assert "maxPersonality" not in at(cloud, "2.57", "GET", "/limits")["limits"]["absolute"]


def test_limits_of_network_resources_are_kept_for_old_clients(cloud):
    target = f"/os-quota-sets/{cloud.client.project_id}"
    assert at(cloud, "2.35", "PUT", target, {"quota_set": {"fixed_ips": 7}})["quota_set"]["fixed_ips"] == 7
    assert at(cloud, "2.35", "GET", target)["quota_set"]["fixed_ips"] == 7
    assert at(cloud, "2.35", "GET", f"{target}/detail")["quota_set"]["fixed_ips"] == {"limit": 7, "in_use": 0, "reserved": 0}
    assert "fixed_ips" not in at(cloud, "2.36", "GET", target)["quota_set"]
    at(cloud, "2.35", "DELETE", target)
    assert at(cloud, "2.35", "GET", target)["quota_set"]["fixed_ips"] == -1
    own = "/os-quota-class-sets/own"
    assert at(cloud, "2.49", "PUT", own, {"quota_class_set": {"floating_ips": 3}})["quota_class_set"]["floating_ips"] == 3
    assert at(cloud, "2.49", "GET", own)["quota_class_set"]["floating_ips"] == 3
    assert "floating_ips" not in at(cloud, "2.50", "GET", own)["quota_class_set"]


def test_hosts_as_old_clients_see_them(cloud, server):
    found = at(cloud, "2.42", "GET", "/os-hosts")["hosts"]
    host = next(h for h in found if h["service"] == "compute")
    assert host["zone"] == "nova"
    assert host in at(cloud, "2.1", "GET", "/os-hosts?zone=nova")["hosts"] and at(cloud, "2.1", "GET", "/os-hosts?zone=x") == {
        "hosts": []}
    where = f"/os-hosts/{host['host_name']}"
    rows = {r["resource"]["project"]: r["resource"] for r in at(cloud, "2.1", "GET", where)["host"]}
    assert rows["(used_now)"]["cpu"] == rows["(used_max)"]["cpu"] == rows[cloud.client.project_id]["cpu"] >= 2
    assert rows["(total)"]["memory_mb"] > rows["(used_now)"]["memory_mb"] > 0
    assert at(cloud, "2.1", "PUT", where, {"status": "Disable"}) == {"host": host["host_name"], "status": "disabled"}
    assert host not in at(cloud, "2.1", "GET", "/os-hosts")["hosts"]
    assert at(cloud, "2.1", "PUT", where, {"status": "enable"})["status"] == "enabled"
    refused(501, cloud.client, "compute", "PUT", where, {"maintenance_mode": "enable"}, version="2.1")
    refused(404, cloud.client, "compute", "GET", "/os-hosts/nowhere", version="2.1")
    refused(404, cloud.client, "compute", "PUT", "/os-hosts/nowhere", {"status": "enable"}, version="2.1")
    refused(404, cloud.client, "compute", "GET", "/os-hosts", version="2.43")


def test_hypervisors_as_old_clients_see_them(cloud, server):
    node = at(cloud, "2.52", "GET", "/os-hypervisors")["hypervisors"][0]
    part = node["hypervisor_hostname"][1:5]
    assert at(cloud, "2.52", "GET", f"/os-hypervisors/{part}/search")["hypervisors"] == [node]
    (shown,) = at(cloud, "2.52", "GET", f"/os-hypervisors/{part}/servers")["hypervisors"]
    assert server in {s["uuid"] for s in shown["servers"]}
    for path in ("search", "servers"):
        refused(404, cloud.client, "compute", "GET", f"/os-hypervisors/nowhere/{path}", version="2.52")
        refused(404, cloud.client, "compute", "GET", f"/os-hypervisors/{part}/{path}", version="2.53")
    told = at(cloud, "2.52", "GET", f"/os-hypervisors/{node['id']}/uptime")["hypervisor"]["uptime"]
    assert re.match(r"\s*(.+)\sup\s+(.+),\s+(.+)\susers?,\s+load average:\s(.+)", told), told  # as clients read it


def test_hypervisors_with_their_servers(cloud, server):
    found = at(cloud, "2.53", "GET", "/os-hypervisors?with_servers=true")["hypervisors"][0]
    assert server in [s["uuid"] for s in found["servers"]]


def test_attachments(cloud, server):
    volume = new_volume(cloud.client, "tagged")
    path = f"/servers/{server}/os-volume_attachments"
    body = {"volumeAttachment": {"volumeId": volume, "tag": "data", "delete_on_termination": True}}
    refused(400, cloud.client, "compute", "POST", path, body, version="2.78")
    made = at(cloud, "2.79", "POST", path, body)["volumeAttachment"]
    assert (made["tag"], made["delete_on_termination"]) == ("data", True)
    wait_for(lambda: cloud.client.call("volume", "GET", f"/volumes/{volume}")["volume"]["status"] == "in-use", 20, what="it")
    assert set(at(cloud, "2.70", "GET", f"{path}/{volume}")["volumeAttachment"]) - set(
        at(cloud, "2.69", "GET", f"{path}/{volume}")["volumeAttachment"]) == {"tag"}
    change = {"volumeAttachment": {"volumeId": volume, "delete_on_termination": False}}
    refused(400, cloud.client, "compute", "PUT", f"{path}/{volume}", change, version="2.84")
    at(cloud, "2.85", "PUT", f"{path}/{volume}", change)
    assert at(cloud, "2.85", "GET", f"{path}/{volume}")["volumeAttachment"]["delete_on_termination"] is False
    refused(400, cloud.client, "compute", "PUT", f"{path}/{volume}", {"volumeAttachment": {
        "volumeId": volume, "tag": "other"}}, version="2.85")
    at(cloud, "2.1", "DELETE", f"{path}/{volume}")
    wait_for(lambda: cloud.client.call("volume", "GET", f"/volumes/{volume}")["volume"]["status"] == "available", 20, what="it")
    cloud.client.call("volume", "DELETE", f"/volumes/{volume}")


def test_interfaces_have_tags(cloud, server):
    network = cloud.client.find("network", "networks", "private")["id"]
    path = f"/servers/{server}/os-interface"
    made = at(cloud, "2.70", "POST", path, {"interfaceAttachment": {"net_id": network, "tag": "second"}})["interfaceAttachment"]
    assert made["tag"] == "second"
    tags = sorted(i["tag"] or "" for i in at(cloud, "2.70", "GET", path)["interfaceAttachments"])
    assert tags == ["", "second"]
    assert "tag" not in at(cloud, "2.69", "GET", path)["interfaceAttachments"][0]
    # What the network service reports later does not take the tag away.
    public = cloud.client.find("network", "networks", "public")["id"]
    ip = cloud.client.call("network", "POST", "/floatingips", {"floatingip": {
        "floating_network_id": public, "port_id": made["port_id"]}})["floatingip"]
    wait_for(lambda: ip["floating_ip_address"] in str(at(cloud, "2.1", "GET", f"/servers/{server}")["server"]["addresses"]), 10,
             what="the address in the server's picture")
    assert at(cloud, "2.70", "GET", f"{path}/{made['port_id']}")["interfaceAttachment"]["tag"] == "second"
    cloud.client.call("network", "DELETE", f"/floatingips/{ip['id']}")
    at(cloud, "2.1", "DELETE", f"{path}/{made['port_id']}")


def test_topology(cloud, server):
    refused(404, cloud.client, "compute", "GET", f"/servers/{server}/topology", version="2.77")
    assert at(cloud, "2.78", "GET", f"/servers/{server}/topology") == {"nodes": [], "pagesize_kb": None}


def test_certificates_as_keys(cloud):
    made = at(cloud, "2.2", "POST", "/os-keypairs", {"keypair": {"name": "windows", "type": "x509"}})["keypair"]
    assert made["public_key"].startswith("-----BEGIN CERTIFICATE") and len(made["fingerprint"].split(":")) == 20
    again = {"keypair": {"name": "again", "type": "x509", "public_key": made["public_key"]}}
    assert at(cloud, "2.2", "POST", "/os-keypairs", again)["keypair"]["fingerprint"] == made["fingerprint"]
    refused(400, cloud.client, "compute", "POST", "/os-keypairs", {"keypair": {**again["keypair"], "type": "ssh", "name": "no"}})
    for name in ("windows", "again"):
        at(cloud, "2.2", "DELETE", f"/os-keypairs/{name}")


def test_backups_take_turns(cloud, server):
    made = []
    for number in range(3):
        made.append(at(cloud, "2.45", "POST", f"/servers/{server}/action", {"createBackup": {
            "name": f"nightly-{number}", "backup_type": "daily", "rotation": 2}})["image_id"])
        wait_for(lambda: at(cloud, "2.1", "GET", f"/servers/{server}")["server"]["OS-EXT-STS:task_state"] is None, 20, what="it")
    left = cloud.client.call("image", "GET", f"/images?instance_uuid={server}&image_type=backup")["images"]
    assert sorted(i["id"] for i in left) == sorted(made[1:]) and {i["status"] for i in left} == {"active"}
    refused(400, cloud.client, "compute", "POST", f"/servers/{server}/action", {"createBackup": {
        "name": "x", "backup_type": "daily", "rotation": -1}})
    for image in left:
        cloud.client.call("image", "DELETE", f"/images/{image['id']}")


def test_extra_specs_are_validated(cloud):
    made = at(cloud, "2.55", "POST", "/flavors", {"flavor": {"name": "checked", "ram": 64, "vcpus": 1, "disk": 1}})["flavor"]
    path = f"/flavors/{made['id']}/os-extra_specs"
    wrong, right = {"hw:numa_nodes": "none"}, {"hw:numa_nodes": "2", "mine": "x"}
    assert at(cloud, "2.85", "POST", path, {"extra_specs": wrong})["extra_specs"] == wrong
    assert "'none' is not a valid integer value" in refused(
        400, cloud.client, "compute", "POST", path, {"extra_specs": wrong}, version="2.86")
    assert "not a valid integer" in refused(400, cloud.client, "compute", "PUT", f"{path}/hw:numa_nodes", wrong, version="2.86")
    assert at(cloud, "2.86", "POST", path, {"extra_specs": right})["extra_specs"] == right
    at(cloud, "2.86", "PUT", f"{path}/hw:numa_nodes", {"hw:numa_nodes": "3"})
    at(cloud, "2.1", "DELETE", f"/flavors/{made['id']}")


def test_hypervisors_with_their_uptime(cloud, server):
    old, new = (at(cloud, version, "GET", "/os-hypervisors/detail")["hypervisors"][0] for version in ("2.87", "2.88"))
    gone = {"current_workload", "cpu_info", "vcpus", "vcpus_used", "free_disk_gb", "local_gb", "local_gb_used",
            "disk_available_least", "free_ram_mb", "memory_mb", "memory_mb_used", "running_vms"}
    assert set(old) - set(new) == gone and set(new) - set(old) == {"uptime"} and "load average" in new["uptime"]
    assert "load average" in at(cloud, "2.88", "GET", f"/os-hypervisors/{new['id']}")["hypervisor"]["uptime"]
    for path in ("statistics", f"{new['id']}/uptime"):
        at(cloud, "2.87", "GET", f"/os-hypervisors/{path}")
        refused(404, cloud.client, "compute", "GET", f"/os-hypervisors/{path}", version="2.88")


def test_ids_of_attachments(cloud, server):
    volume = new_volume(cloud.client, "known")
    path = f"/servers/{server}/os-volume_attachments"
    assert at(cloud, "2.89", "POST", path, {"volumeAttachment": {"volumeId": volume}})["volumeAttachment"]["id"] == volume
    wait_for(lambda: cloud.client.call("volume", "GET", f"/volumes/{volume}")["volume"]["status"] == "in-use", 20, what="it")
    (attached,) = cloud.client.call("volume", "GET", f"/volumes/{volume}")["volume"]["attachments"]
    for shown in (at(cloud, "2.89", "GET", f"{path}/{volume}")["volumeAttachment"],
                  at(cloud, "2.89", "GET", path)["volumeAttachments"][0]):
        assert shown["attachment_id"] == attached["attachment_id"] and shown["bdm_uuid"] and "id" not in shown
    older = at(cloud, "2.88", "GET", f"{path}/{volume}")["volumeAttachment"]
    assert older["id"] == volume and "attachment_id" not in older
    change = {"volumeAttachment": {"volumeId": volume, "id": volume, "delete_on_termination": True}}
    at(cloud, "2.89", "PUT", f"{path}/{volume}", change)
    at(cloud, "2.1", "DELETE", f"{path}/{volume}")
    wait_for(lambda: cloud.client.call("volume", "GET", f"/volumes/{volume}")["volume"]["status"] == "available", 20, what="it")
    cloud.client.call("volume", "DELETE", f"/volumes/{volume}")


def test_host_names_of_servers(cloud, member):
    key = "OS-EXT-SRV-ATTR:hostname"
    body = server_body(cloud.client, "Named By.Name", hostname="own-name")
    refused(400, cloud.client, "compute", "POST", "/servers", body, version="2.89")
    for name in ("a.b", "-a", "a", "n" * 64):
        refused(400, cloud.client, "compute", "POST", "/servers", server_body(cloud.client, "x", hostname=name), version="2.90")
    text = refused(400, cloud.client, "compute", "POST", "/servers", server_body(cloud.client, "x", hostname="ab", max_count=2),
                   version="2.90")
    assert "single hostname to multiple instances" in text
    made = at(cloud, "2.90", "POST", "/servers", body)["server"]["id"]
    wait_status(cloud.client, made)
    path = f"/servers/{made}"
    assert at(cloud, "2.90", "GET", path)["server"][key] == "own-name"
    refused(400, cloud.client, "compute", "PUT", path, {"server": {"hostname": "other"}}, version="2.89")
    assert at(cloud, "2.90", "PUT", path, {"server": {"hostname": "other"}})["server"][key] == "other"
    rebuild = {"rebuild": {"imageRef": cloud.client.find("image", "images", "cirros")["id"], "hostname": "third"}}
    refused(400, cloud.client, "compute", "POST", f"{path}/action", rebuild, version="2.89")
    assert at(cloud, "2.90", "POST", f"{path}/action", rebuild)["server"][key] == "third"
    wait_status(cloud.client, made)
    at(cloud, "2.1", "DELETE", path)
    wait_gone(cloud.client, made)
    own = member.call("compute", "POST", "/servers", {"server": {
        **body["server"], "networks": "none", "hostname": "members"}}, version="2.90")["server"]["id"]
    assert member.call("compute", "GET", f"/servers/{own}", version="2.90")["server"][key] == "members"
    assert key not in member.call("compute", "GET", f"/servers/{own}", version="2.89")["server"]
    wait_status(member, own)
    member.call("compute", "DELETE", f"/servers/{own}")
    wait_gone(member, own)


def test_key_pairs_are_imported_only(cloud):
    generated = at(cloud, "2.91", "POST", "/os-keypairs", {"keypair": {"name": "older"}})["keypair"]
    assert generated["private_key"]
    brought = {"keypair": {"name": "me@example.org", "public_key": generated["public_key"]}}
    refused(400, cloud.client, "compute", "POST", "/os-keypairs", brought, version="2.91")
    assert "'public_key' is a required property" in refused(
        400, cloud.client, "compute", "POST", "/os-keypairs", {"keypair": {"name": "newer"}}, version="2.92")
    assert "private_key" not in at(cloud, "2.92", "POST", "/os-keypairs", brought)["keypair"]
    for name in ("older", "me@example.org"):
        at(cloud, "2.92", "DELETE", f"/os-keypairs/{name}")


def test_host_names_with_a_domain(cloud):
    key = "OS-EXT-SRV-ATTR:hostname"
    body = server_body(cloud.client, "named", hostname="Web_1.example.org")
    refused(400, cloud.client, "compute", "POST", "/servers", body, version="2.93")
    refused(400, cloud.client, "compute", "POST", "/servers", server_body(cloud.client, "named", hostname="a b"), version="2.94")
    made = at(cloud, "2.94", "POST", "/servers", body)["server"]["id"]
    assert wait_status(cloud.client, made)[key] == "Web_1.example.org"
    ports = cloud.client.call("network", "GET", f"/ports?device_id={made}")["ports"]
    assert [port["dns_name"] for port in ports] == ["web-1"]
    path, image = f"/servers/{made}", cloud.client.find("image", "images", "cirros")["id"]
    for method, where, name, body in (("PUT", path, "a.b", {"server": {"hostname": "a.b"}}),
                                      ("POST", f"{path}/action", "c.d", {"rebuild": {"imageRef": image, "hostname": "c.d"}})):
        refused(400, cloud.client, "compute", method, where, body, version="2.93")
        assert at(cloud, "2.94", method, where, body)["server"][key] == name
    wait_status(cloud.client, made)
    at(cloud, "2.1", "DELETE", path)
    wait_gone(cloud.client, made)


def shown_everywhere(cloud, server: str, version: str) -> list[dict]:
    """The server as each request shows it: alone, in a list, updated."""
    path = f"/servers/{server}"
    return [at(cloud, version, "GET", path)["server"], at(cloud, version, "GET", f"/servers/detail?uuid={server}")["servers"][0],
            at(cloud, version, "PUT", path, {"server": {"description": "d"}})["server"]]


def test_servers_show_their_pinned_zone_and_are_pinned(cloud, server, member):
    path, key = f"/servers/{server}", "pinned_availability_zone"
    assert all(key not in shown for shown in shown_everywhere(cloud, server, "2.95"))
    assert all(shown[key] is None for shown in shown_everywhere(cloud, server, "2.96"))

    def pin(zone):
        return at(cloud, "2.104", "PUT", path, {"server": {key: zone}})["server"][key]
    refused(400, cloud.client, "compute", "PUT", path, {"server": {key: "nova"}}, version="2.103")
    refused(400, cloud.client, "compute", "PUT", path, {"server": {key: ""}}, version="2.104")
    text = refused(409, cloud.client, "compute", "PUT", path, {"server": {key: "elsewhere"}}, version="2.104")
    assert "only be pinned to its current availability zone" in text
    assert [pin("nova"), pin("nova")] == ["nova", "nova"]
    assert all(shown[key] == "nova" for shown in shown_everywhere(cloud, server, "2.96"))
    text = refused(409, cloud.client, "compute", "PUT", path, {"server": {key: "elsewhere"}}, version="2.104")
    assert "Unpin first" in text
    refused(404, member, "compute", "PUT", path, {"server": {key: None}}, version="2.104")
    assert [pin(None), pin(None)] == [None, None]
    made = at(cloud, "2.96", "POST", "/servers", server_body(cloud.client, "pinned", availability_zone="nova"))["server"]["id"]
    wait_status(cloud.client, made)
    assert at(cloud, "2.96", "GET", f"/servers/{made}")["server"][key] == "nova"
    at(cloud, "2.1", "DELETE", f"/servers/{made}")
    wait_gone(cloud.client, made)


def test_servers_show_properties_of_their_image(cloud):
    image = cloud.client.call("image", "POST", "/images", {
        "name": "of alpine", "disk_format": "raw", "container_format": "bare", "os_distro": "alpine", "color": "green"})["id"]
    cloud.client.call("image", "PUT", f"/images/{image}/file", raw=b"\0" * 512, content_type="application/octet-stream")
    made = at(cloud, "2.37", "POST", "/servers", {"server": {
        **server_body(cloud.client, "of it")["server"], "imageRef": image}})["server"]["id"]
    wait_status(cloud.client, made)
    assert all("properties" not in shown["image"] for shown in shown_everywhere(cloud, made, "2.97"))
    assert all(shown["image"]["properties"] == {"os_distro": "alpine"} for shown in shown_everywhere(cloud, made, "2.98"))
    at(cloud, "2.1", "DELETE", f"/servers/{made}")
    wait_gone(cloud.client, made)
    cloud.client.call("image", "DELETE", f"/images/{image}")


def test_direct_consoles(cloud, server):
    path, body = f"/servers/{server}/remote-consoles", {"remote_console": {"protocol": "spice", "type": "spice-direct"}}
    assert "Invalid input" in refused(400, cloud.client, "compute", "POST", path, body, version="2.98")
    assert "Unavailable console type spice-direct" in refused(400, cloud.client, "compute", "POST", path, body, version="2.99")
    serial = {"remote_console": {"protocol": "serial", "type": "serial"}}
    token = at(cloud, "2.99", "POST", path, serial)["remote_console"]["url"].rpartition("token=")[2]
    assert "tls_port" not in at(cloud, "2.99", "GET", f"/os-console-auth-tokens/{token}")["console"]
    at(cloud, "2.98", "GET", f"/os-console-auth-tokens/{token}?x=1")
    refused(400, cloud.client, "compute", "GET", f"/os-console-auth-tokens/{token}?x=1", version="2.99")


def test_servers_show_their_scheduler_hints(cloud, server):
    other = "7c1a4a32-2a1c-4f3b-9a4e-111111111111"
    hints = {"different_host": other, "mine": ["a", "b"], "level": 3}
    body = {**server_body(cloud.client, "hinted"), "os:scheduler_hints": hints}
    made = at(cloud, "2.53", "POST", "/servers", body)["server"]["id"]
    wait_status(cloud.client, made)
    assert all("scheduler_hints" not in shown for shown in shown_everywhere(cloud, made, "2.99"))
    assert all(shown["scheduler_hints"] == {"different_host": [other], "mine": ["a", "b"], "level": ["3"]}
               for shown in shown_everywhere(cloud, made, "2.100"))
    assert at(cloud, "2.100", "GET", f"/servers/{server}")["server"]["scheduler_hints"] == {}
    at(cloud, "2.1", "DELETE", f"/servers/{made}")
    wait_gone(cloud.client, made)


def test_attaching_does_not_wait_for_a_device(cloud, server):
    volume, path = new_volume(cloud.client, "attached at once"), f"/servers/{server}/os-volume_attachments"

    def attached():
        wait_for(lambda: volume_status(cloud.client, volume) == "in-use", 20, what="it")

    def detached():
        wait_for(lambda: volume_status(cloud.client, volume) == "available", 20, what="it")
    body = {"volumeAttachment": {"volumeId": volume}}
    assert set(at(cloud, "2.100", "POST", path, body)) == {"volumeAttachment"}
    attached()
    at(cloud, "2.101", "DELETE", f"{path}/{volume}")
    detached()
    assert at(cloud, "2.101", "POST", path, body) is None
    attached()
    at(cloud, "2.101", "DELETE", f"{path}/{volume}")
    detached()
    cloud.client.call("volume", "DELETE", f"/volumes/{volume}")


def test_flavors_by_name_and_without_rxtx_factor(cloud):
    gone = {"rxtx_factor", "OS-FLV-DISABLED:disabled"}
    assert gone <= set(at(cloud, "2.101", "GET", "/flavors/detail")["flavors"][0])
    assert not gone & set(at(cloud, "2.102", "GET", "/flavors/detail")["flavors"][0])
    assert not gone & set(at(cloud, "2.102", "GET", "/flavors/42")["flavor"])
    body = {"flavor": {"name": "x", "ram": 64, "vcpus": 1, "disk": 1, "rxtx_factor": 2.0}}
    refused(400, cloud.client, "compute", "POST", "/flavors", body, version="2.102")
    assert [f["name"] for f in at(cloud, "2.102", "GET", "/flavors?name=m1.(nano|tiny)%24")["flavors"]] == ["m1.tiny", "m1.nano"]
    refused(400, cloud.client, "compute", "GET", "/flavors?name=x", version="2.101")
    refused(400, cloud.client, "compute", "GET", "/flavors?name=(", version="2.102")
    at(cloud, "2.101", "GET", "/flavors?sort_key=rxtx_factor")
    refused(400, cloud.client, "compute", "GET", "/flavors?sort_key=rxtx_factor", version="2.102")


def test_no_request_takes_unknown_query_parameters(cloud, server):
    """Each GET of the newest microversion. Those whose ids are unknown may answer 404, but the parameter comes first."""
    paths = {re.sub(r"\{id\}", server, route.path.removeprefix("/v2.1")) for route in ROUTES if route.method == "GET"
             and route.path.startswith("/v2.1/") and "{project_id}" not in route.path
             and (route.versions is None or route.versions[1] is None)}
    assert len(paths) > 40
    for path in sorted(re.sub(r"\{\w+\}", "0", path) for path in paths):
        text = refused(400, cloud.client, "compute", "GET", f"{path}?unknown=1", version="2.104")
        assert "'unknown' was unexpected" in text, path
    at(cloud, "2.101", "GET", f"/servers/{server}?unknown=1")


@contextlib.contextmanager
def booted_from_volume(cloud, image: str):
    """A server with a root volume of an image; (its id, the volume's)."""
    device = {"source_type": "image", "uuid": image, "destination_type": "volume", "volume_size": 1, "boot_index": 0,
              "delete_on_termination": True}
    made = cloud.client.call("compute", "POST", "/servers", {"server": {
        "name": "of a volume", "flavorRef": "42", "networks": "none", "block_device_mapping_v2": [device]}})["server"]["id"]
    shown = wait_status(cloud.client, made)
    yield made, shown["os-extended-volumes:volumes_attached"][0]["id"]
    cloud.client.call("compute", "DELETE", f"/servers/{made}")
    wait_gone(cloud.client, made)


@contextlib.contextmanager
def image_of_volumes(cloud, server: str):
    """The image that createImage makes of a server that boots from a volume: it names a snapshot, and has no data."""
    cloud.client.call("compute", "POST", f"/servers/{server}/action", {"createImage": {"name": "of-volumes"}})
    wait_for(lambda: cloud.client.find("image", "images", "of-volumes")["status"] == "active", 20, what="the image")
    wait_for(lambda: not cloud.client.call("compute", "GET", f"/servers/{server}")["server"]["OS-EXT-STS:task_state"], 20,
             what="the end of the task")
    image = cloud.client.find("image", "images", "of-volumes")
    yield image["id"]
    (snapshot,) = (each["snapshot_id"] for each in json.loads(image["block_device_mapping"]))
    cloud.client.call("image", "DELETE", f"/images/{image['id']}")
    cloud.client.call("volume", "DELETE", f"/snapshots/{snapshot}")
    wait_for(lambda: snapshot not in str(cloud.client.call("volume", "GET", "/snapshots")), 20, what="the snapshot to go")


def test_rebuild_of_a_server_that_boots_from_a_volume(cloud):
    first = cloud.client.find("image", "images", "cirros")["id"]
    names = {"disk_format": "raw", "container_format": "bare"}
    second, large = (cloud.client.call("image", "POST", "/images", {"name": name, "min_disk": size, **names})["id"]
                     for name, size in (("another", 1), ("large", 2)))
    for image in (second, large):
        cloud.client.call("image", "PUT", f"/images/{image}/file", raw=b"\0" * 512, content_type="application/octet-stream")
    with booted_from_volume(cloud, first) as (server, volume):
        path = f"/servers/{server}/action"

        def shown_volume() -> dict:
            return cloud.client.call("volume", "GET", f"/volumes/{volume}")["volume"]
        refused(400, cloud.client, "compute", "POST", path, {"rebuild": {"imageRef": second}}, version="2.92")
        at(cloud, "2.92", "POST", path, {"rebuild": {"imageRef": first, "name": "same image"}})
        assert wait_status(cloud.client, server)["name"] == "same image" and shown_volume()["status"] == "in-use"
        text = refused(400, cloud.client, "compute", "POST", path, {"rebuild": {"imageRef": large}}, version="2.93")
        assert "Volume is smaller than the minimum size" in text
        with image_of_volumes(cloud, server) as named:
            text = refused(400, cloud.client, "compute", "POST", path, {"rebuild": {"imageRef": named}}, version="2.93")
            assert "no data" in text
            reimage = {"os-reimage": {"image_id": named, "reimage_reserved": True}}
            assert "no data" in refused(400, cloud.client, "volume", "POST", f"/volumes/{volume}/action", reimage, version="3.68")
        reset = f"/volumes/{volume}/action"
        cloud.client.call("volume", "POST", reset, {"os-reset_status": {"status": "error"}})
        text = refused(409, cloud.client, "compute", "POST", path, {"rebuild": {"imageRef": second}}, version="2.93")
        assert "it is in error" in text
        cloud.client.call("volume", "POST", reset, {"os-reset_status": {"status": "in-use"}})
        rebuilt = at(cloud, "2.93", "POST", path, {"rebuild": {"imageRef": second, "name": "other image"}})["server"]
        assert (rebuilt["status"], rebuilt["image"], rebuilt["name"]) == ("REBUILD", "", "other image")
        shown = wait_status(cloud.client, server)
        assert shown["image"] == "" and shown["os-extended-volumes:volumes_attached"][0]["id"] == volume
        assert (shown_volume()["status"], shown_volume()["volume_image_metadata"]["image_id"]) == ("in-use", second)
        (held,) = cloud.client.call("volume", "GET", f"/attachments?volume_id={volume}")["attachments"]
        assert held["status"] == "attached"
        action = cloud.client.call("compute", "GET", f"/servers/{server}/os-instance-actions")["instanceActions"][0]
        events = cloud.client.call("compute", "GET", f"/servers/{server}/os-instance-actions/{action['request_id']}")
        assert [e["event"] for e in reversed(events["instanceAction"]["events"])] == [
            f"compute_rebuild_volume_{step}" for step in ("stop", "reserve", "request", "reimage", "start")]
        cloud.client.call("compute", "POST", path, {"os-stop": None})
        wait_status(cloud.client, server, "SHUTOFF")
        at(cloud, "2.93", "POST", path, {"rebuild": {"imageRef": first}})
        wait_status(cloud.client, server, "SHUTOFF")
        assert shown_volume()["volume_image_metadata"]["image_id"] == first
        event = {"events": [{"name": "volume-reimaged", "server_uuid": server, "tag": volume}]}
        refused(400, cloud.client, "compute", "POST", "/os-server-external-events", event, version="2.92")
        assert at(cloud, "2.93", "POST", "/os-server-external-events", event)["events"][0]["code"] == 200
    for image in (second, large):
        cloud.client.call("image", "DELETE", f"/images/{image}")


def rescue_image(cloud, **properties) -> str:
    made = cloud.client.call("image", "POST", "/images", {
        "name": "rescue", "disk_format": "raw", "container_format": "bare", **properties})["id"]
    cloud.client.call("image", "PUT", f"/images/{made}/file", raw=b"\0" * 512, content_type="application/octet-stream")
    return made


def test_rescue_of_a_server_that_boots_from_a_volume(cloud):
    named = rescue_image(cloud, hw_rescue_device="disk", hw_rescue_bus="virtio")
    wrong, half = rescue_image(cloud, hw_rescue_device="tape", hw_rescue_bus="virtio"), rescue_image(cloud, hw_rescue_bus="usb")
    with booted_from_volume(cloud, cloud.client.find("image", "images", "cirros")["id"]) as (server, volume):
        path = f"/servers/{server}/action"

        def refused_at(version: str, image: str | None) -> str:
            body = {"rescue": {"rescue_image_ref": image} if image else None}
            return refused(400, cloud.client, "compute", "POST", path, body, version=version)
        for version, image in (("2.86", named), ("2.87", half), ("2.87", None)):
            assert "Cannot rescue a volume-backed instance" in refused_at(version, image)
        assert "cannot be a tape" in refused_at("2.87", wrong)
        at(cloud, "2.87", "POST", path, {"rescue": {"rescue_image_ref": named}})
        wait_status(cloud.client, server, "RESCUE")
        guest = json.loads(pathlib.Path(cloud.state, "instances", server, "guest.json").read_text())
        assert volume in guest["volumes"]
        at(cloud, "2.87", "POST", path, {"unrescue": None})
        wait_status(cloud.client, server)
        assert cloud.client.call("volume", "GET", f"/volumes/{volume}")["volume"]["status"] == "in-use"
    for image in (named, wrong, half):
        cloud.client.call("image", "DELETE", f"/images/{image}")
