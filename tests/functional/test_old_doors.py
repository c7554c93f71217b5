"""The compute API's older doors: security groups and fixed addresses asked of it, and /v2 without microversions."""

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


def test_v2_is_21_without_microversions(cloud):
    root = cloud.client.url("compute").removesuffix("/v2.1")
    headers = {"X-Auth-Token": cloud.client.token, "OpenStack-API-Version": "compute 2.53"}
    answer = cloud.client.pool.request("GET", f"{root}/v2/{cloud.client.project_id}/flavors/detail", headers=headers)
    assert answer.status == 200 and answer.headers["OpenStack-API-Version"] == "compute 2.1"
    assert cloud.client.pool.request("GET", f"{root}/v2/", headers=headers).json()["version"]["id"] == "v2.0"
