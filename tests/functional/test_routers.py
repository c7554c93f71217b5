"""Routers beyond the usual: on every host, and metered."""

import pytest

from tests.functional.test_stories import refused


@pytest.fixture
def call(cloud):
    def inner(method, path, body=None):
        return cloud.client.call("network", method, path, body)
    return inner


@pytest.fixture
def subnet(call):
    network = call("POST", "/networks", {"network": {"name": "spread"}})["network"]["id"]
    yield call("POST", "/subnets", {"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.77.0.0/24"}})["subnet"]["id"]
    call("DELETE", f"/networks/{network}")


def owners(call, router: str) -> list[str]:
    return sorted(p["device_owner"] for p in call("GET", f"/ports?device_id={router}")["ports"])


INTERFACE, SPREAD = "network:router_interface", "network:router_interface_distributed"
GATEWAY, CENTRAL = "network:router_gateway", "network:router_centralized_snat"


def test_a_distributed_router(call, cloud, subnet):
    public = cloud.client.find("network", "networks", "public")["id"]
    router = call("POST", "/routers", {"router": {"name": "everywhere", "distributed": True}})["router"]
    path = f"/routers/{router['id']}"
    assert router["distributed"] is True and router["ha"] is False
    call("PUT", path + "/add_router_interface", {"subnet_id": subnet})
    assert owners(call, router["id"]) == [SPREAD]
    call("PUT", path, {"router": {"external_gateway_info": {"network_id": public}}})
    assert owners(call, router["id"]) == [CENTRAL, GATEWAY, SPREAD]
    assert "admin_state_up to False" in refused(400, cloud.client, "network", "PUT", path, {"router": {"distributed": False}})
    call("PUT", path, {"router": {"admin_state_up": False}})
    assert call("PUT", path, {"router": {"distributed": False}})["router"]["distributed"] is False
    assert owners(call, router["id"]) == [GATEWAY, INTERFACE]
    call("PUT", path, {"router": {"distributed": True}})
    call("PUT", path, {"router": {"admin_state_up": True}})
    assert owners(call, router["id"]) == [CENTRAL, GATEWAY, SPREAD]
    central = call("GET", f"/ports?device_owner={CENTRAL}")["ports"][0]
    refused(409, cloud.client, "network", "DELETE", f"/ports/{central['id']}")
    refused(409, cloud.client, "network", "DELETE", path)
    call("PUT", path, {"router": {"external_gateway_info": {}}})
    assert owners(call, router["id"]) == [SPREAD]
    call("PUT", path + "/remove_router_interface", {"subnet_id": subnet})
    call("DELETE", path)


def test_only_admins_spread_routers(call, member):
    refused(403, member, "network", "POST", "/routers", {"router": {"name": "mine", "distributed": True}})
    router = member.call("network", "POST", "/routers", {"router": {"name": "mine"}})["router"]["id"]
    for value in (True, False):
        refused(403, member, "network", "PUT", f"/routers/{router}", {"router": {"distributed": value}})
    member.call("network", "DELETE", f"/routers/{router}")


def test_metering_labels_and_rules(call, cloud, member):
    labels, rules = "/metering/metering-labels", "/metering/metering-label-rules"
    refused(403, member, "network", "POST", labels, {"metering_label": {"name": "x"}})
    label = call("POST", labels, {"metering_label": {"name": "outside", "description": "d"}})["metering_label"]
    assert member.call("network", "GET", labels)["metering_labels"] == []
    assert set(label) == {"id", "name", "description", "project_id", "tenant_id", "shared"} and label["shared"] is False
    refused(404, member, "network", "GET", f"{labels}/{label['id']}")
    base = {"metering_label_id": label["id"], "direction": "egress"}
    rule = call("POST", rules, {"metering_label_rule": {**base, "remote_ip_prefix": "10.0.0.0/8"}})["metering_label_rule"]
    assert rule["destination_ip_prefix"] == rule["remote_ip_prefix"] == "10.0.0.0/8" and rule["source_ip_prefix"] is None
    assert rule["excluded"] is False and "name" not in rule
    refused(409, cloud.client, "network", "POST", rules, {"metering_label_rule": {**base, "destination_ip_prefix": "10.0.0.0/8"}})
    for bad in ({}, {"remote_ip_prefix": "x"}, {"source_ip_prefix": "::/0", "destination_ip_prefix": "0.0.0.0/0"},
                {"direction": "up", "remote_ip_prefix": "0.0.0.0/0"},
                {"remote_ip_prefix": "0.0.0.0/0", "source_ip_prefix": "0.0.0.0/0"}):
        refused(400, cloud.client, "network", "POST", rules, {"metering_label_rule": {**base, **bad}})
    assert [r["id"] for r in call("GET", f"{rules}?metering_label_id={label['id']}")["metering_label_rules"]] == [rule["id"]]
    assert call("GET", f"{labels}?fields=id&name=outside")["metering_labels"] == [{"id": label["id"]}]
    call("DELETE", f"{labels}/{label['id']}")
    refused(404, cloud.client, "network", "GET", f"{rules}/{rule['id']}")
