"""Pages and filters of the compute API's lists."""

import pytest

from tests.functional.test_stories import refused, server_body, wait_gone, wait_status


@pytest.fixture(scope="module")
def servers(cloud):
    """{last byte: id} of servers on a network of their own, in the order of their making."""
    client = cloud.client
    net = client.call("network", "POST", "/networks", {"network": {"name": "addresses"}})["network"]["id"]
    for cidr in ("10.90.0.0/24", "fd90::/64"):
        client.call("network", "POST", "/subnets", {"subnet": {
            "network_id": net, "cidr": cidr, "ip_version": 6 if ":" in cidr else 4, "name": cidr}})
    made = {}
    for last in (150, 151, 15):
        made[last] = client.call("compute", "POST", "/servers", server_body(
            client, f"at-{last}", networks=[{"uuid": net, "fixed_ip": f"10.90.0.{last}"}]))["server"]["id"]
        wait_status(client, made[last])
    yield made
    for id in made.values():
        client.call("compute", "DELETE", f"/servers/{id}")
        wait_gone(client, id)
    client.call("network", "DELETE", f"/networks/{net}")


@pytest.mark.parametrize("query, wanted", [
    ("ip=10.90.0.150&limit=1", [150]), ("ip=10.90.0.15%24", [15]), ("ip=^10.90.0.15%24&limit=1", [15]), ("ip=10.90.0.151", [151]),
    ("ip=90.0.15", [15, 151, 150]), ("ip=90.0.15&limit=2", [15, 151]), ("ip=10.90.0.15[01]", [151, 150]), ("ip=10x90", []),
    ("ip=^90", []), ("ip=10.90.0.150&ip6=none", [150]), ("ip=10.90.0.15&name=at-151", [151])])
def test_servers_are_found_by_their_addresses(cloud, servers, query, wanted):
    found = cloud.client.call("compute", "GET", f"/servers?{query}", version="2.5")["servers"]
    assert [s["id"] for s in found] == [servers[last] for last in wanted]


def test_pages_of_servers_found_by_address(cloud, servers):
    found, where = [], "/servers?ip=10.90.0&limit=1"
    while where:
        page = cloud.client.call("compute", "GET", where)
        found += page["servers"]
        where = "/servers" + page["servers_links"][0]["href"].split("/servers", 1)[1] if "servers_links" in page else ""
    assert [s["id"] for s in found] == [servers[15], servers[151], servers[150]]


def test_an_address_that_is_no_expression_is_refused(cloud, servers):
    for query in ("ip=(", "ip6=[", "ip=" + "(a" * 200):
        refused(400, cloud.client, "compute", "GET", f"/servers?{query}", version="2.5")


def test_an_address_of_version_6_is_not_looked_for_among_others(cloud, servers):
    version_6 = cloud.client.call("compute", "GET", "/servers?ip6=fd90::", version="2.5")["servers"]
    assert cloud.client.call("compute", "GET", "/servers?ip=fd90::", version="2.5")["servers"] == []
    assert cloud.client.call("compute", "GET", "/servers?ip6=10.90", version="2.5")["servers"] == []
    assert {s["id"] for s in version_6} <= set(servers.values())


def test_pages_of_key_pairs(cloud):
    client = cloud.client
    names = [f"page-{n}" for n in range(3)]
    for name in names:
        client.call("compute", "POST", "/os-keypairs", {"keypair": {"name": name}}, version="2.35")
    page = client.call("compute", "GET", "/os-keypairs?limit=2&marker=page-0", version="2.35")
    assert [k["keypair"]["name"] for k in page["keypairs"]] == names[1:]
    (link,) = page["keypairs_links"]
    assert link["rel"] == "next" and link["href"].endswith("/os-keypairs?limit=2&marker=page-2")
    assert "keypairs_links" not in client.call("compute", "GET", "/os-keypairs?limit=2&marker=page-1", version="2.35")
    client.call("compute", "DELETE", "/os-keypairs/page-2", version="2.35")
    refused(400, client, "compute", "GET", "/os-keypairs?marker=page-2", version="2.35")
    assert "keypairs_links" not in client.call("compute", "GET", "/os-keypairs?limit=1", version="2.34")
    for name in names[:2]:
        client.call("compute", "DELETE", f"/os-keypairs/{name}", version="2.35")


def test_pages_of_hypervisors(cloud):
    client, everything = cloud.client, cloud.client.call("compute", "GET", "/os-hypervisors", version="2.53")["hypervisors"]
    for path in ("/os-hypervisors", "/os-hypervisors/detail"):
        found, where = [], path + "?limit=1"
        while where:
            page = client.call("compute", "GET", where, version="2.53")
            found += [h["id"] for h in page["hypervisors"]]
            where = path + page["hypervisors_links"][0]["href"].split(path, 1)[1] if "hypervisors_links" in page else ""
        assert found == [h["id"] for h in everything]
        refused(400, client, "compute", "GET", path + "?marker=x", version="2.33")
        assert len(client.call("compute", "GET", path + "?limit=0", version="2.32")["hypervisors"]) == len(everything)
    sums = client.call("compute", "GET", "/os-hypervisors/statistics?limit=0")["hypervisor_statistics"]
    assert sums["count"] == len(everything)
