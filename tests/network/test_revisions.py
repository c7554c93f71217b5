"""Revision numbers grow with each change of a resource or of what is shown as a part of it, and If-Match holds a request
to one."""

import pytest

from tests.network import frame


@pytest.fixture
def things(admin, member) -> dict[str, dict]:
    """One row of each noun that has a revision, by its collection."""
    network = member.made("networks", name="n")["id"]
    subnet = member.made("subnets", network_id=network, cidr="10.1.0.0/24")
    group = member.made("security-groups", name="g")
    external = admin.made("networks", **{"name": "ext", "router:external": True})["id"]
    admin.made("subnets", network_id=external, cidr="192.0.2.0/24")
    rule = member.made("security-group-rules", security_group_id=group["id"], direction="ingress", protocol="tcp")
    return {
        "networks": member.get("networks", network), "subnets": subnet, "ports": member.made("ports", network_id=network),
        "security-groups": member.get("security-groups", group["id"]), "security-group-rules": rule,
        "routers": member.made("routers", name="r"), "floatingips": member.made("floatingips", floating_network_id=external),
        "subnetpools": member.made("subnetpools", name="s", prefixes=["10.9.0.0/16"])}


CHANGEABLE = ("networks", "subnets", "security-groups", "ports", "routers", "subnetpools", "floatingips")


def if_match(revision) -> dict:
    return {"If-Match": f"revision_number={revision}"}


def body(plural: str, **values) -> dict:
    return {plural.replace("-", "_").removesuffix("s"): values}


@pytest.mark.parametrize("plural", CHANGEABLE)
def test_an_update_is_held_to_the_revision_it_names(member, things, plural):
    row = things[plural]
    where = f"/{plural}/{row['id']}"
    stale = member("PUT", where, body(plural, description="stale"), if_match(row["revision_number"] + 5))
    assert stale.error == (412, "RevisionNumberConstraintFailed")
    assert stale.message == f"Constrained to {row['revision_number'] + 5}, but current revision is {row['revision_number']}"
    assert member.get(plural, row["id"]) == row, "nothing was changed"
    fresh = member("PUT", where, body(plural, description="fresh"), if_match(row["revision_number"]))
    assert fresh.status == 200
    now = next(iter(fresh.json.values()))
    assert (now["description"], now["revision_number"]) == ("fresh", row["revision_number"] + 1)
    again = member("PUT", where, body(plural, description="again"), {"If-Match": f'"revision_number={row["revision_number"]}"'})
    assert again.status == 412, "also as a quoted entity tag"


@pytest.mark.parametrize("plural", [*CHANGEABLE, "security-group-rules"])
def test_so_is_a_deletion(member, things, plural):
    row = things[plural]
    now = member.get(plural, row["id"])["revision_number"]
    assert member("DELETE", f"/{plural}/{row['id']}", headers=if_match(now - 1)).status == 412
    assert member.get(plural, row["id"])
    if plural == "networks":
        assert member("DELETE", f"/ports/{things['ports']['id']}").status == 204
    if plural == "subnets":
        assert member("DELETE", f"/ports/{things['ports']['id']}").status == 204
    assert member("DELETE", f"/{plural}/{row['id']}", headers=if_match(now)).status == 204


@pytest.mark.parametrize("plural", CHANGEABLE)
def test_so_are_tags(member, things, plural):
    row = things[plural]
    where, stale = f"/{plural}/{row['id']}/tags", if_match(row["revision_number"] - 1)
    for method, path, sent in (("PUT", where, {"tags": ["a"]}), ("POST", where, {"tags": ["b"]}),
                               ("PUT", f"{where}/a", None), ("DELETE", where, None)):
        assert member(method, path, sent, stale).status == 412
    assert member("PUT", where, {"tags": ["a"]}, if_match(row["revision_number"])).status == 200
    assert member.get(plural, row["id"])["revision_number"] == row["revision_number"] + 1
    assert member("PUT", f"{where}/a").status == 201
    assert member.get(plural, row["id"])["revision_number"] == row["revision_number"] + 1, "it had the tag already"


def test_so_are_a_routers_actions(member, things):
    router, subnet = things["routers"]["id"], {"subnet_id": things["subnets"]["id"]}
    routes = {"router": {"routes": [{"destination": "10.8.0.0/24", "nexthop": "10.1.0.9"}]}}
    for action, sent in (("add_router_interface", subnet), ("add_extraroutes", routes), ("remove_extraroutes", routes),
                         ("remove_router_interface", subnet)):
        now = member.get("routers", router)["revision_number"]
        assert member("PUT", f"/routers/{router}/{action}", sent, if_match(now - 1)).status == 412
        assert member("PUT", f"/routers/{router}/{action}", sent, if_match(now)).status == 200
        assert member.get("routers", router)["revision_number"] == now + 1, action


@pytest.mark.parametrize("wrong", ["revision_number=", "revision_number=one", "revision_number=1.5", "revision_number=²",
                                   '"revision_number=1", "revision_number=2"'])
def test_what_is_no_revision_is_refused(member, things, wrong):
    for method, sent in (("PUT", body("networks", name="x")), ("DELETE", None), ("GET", None)):
        answer = member(method, f"/networks/{things['networks']['id']}", sent, {"If-Match": wrong})
        assert answer.error == (400, "BadRequest") and "if-match" in answer.message
    assert member.get("networks", things["networks"]["id"])["name"] == "n"


def test_what_has_no_revisions_cannot_be_held_to_one(admin):
    for method, where, sent in (("PUT", "/quotas/p1", {"quota": {"network": 5}}), ("DELETE", "/quotas/p1", None),
                                ("DELETE", "/metering/metering-labels/l", None), ("PUT", "/agents/a", {"agent": {}})):
        answer = admin(method, where, sent, if_match(1))
        assert answer.status == 400 and "Revision matching not supported" in answer.message


def test_other_entity_tags_say_nothing(member, things):
    for tag in ("*", '"abc"', "abc"):
        assert member("PUT", f"/networks/{things['networks']['id']}", body("networks", name=tag), {"If-Match": tag}).status == 200


@pytest.mark.parametrize("plural", CHANGEABLE)
def test_what_changes_nothing_counts_as_no_change(member, things, plural):
    row = member.get(plural, things[plural]["id"])
    same = {k: row[k] for k in ("description", "admin_state_up", "fixed_ips", "security_groups", "dns_nameservers", "port_id")
            if k in row}
    answer = member("PUT", f"/{plural}/{row['id']}", body(plural, **same))
    assert answer.status == 200 and next(iter(answer.json.values())) == row


def revision(caller: frame.Caller, plural: str, row: dict) -> int:
    return caller.get(plural, row["id"])["revision_number"]


def test_a_network_counts_changes_of_its_subnets(member, things):
    network, before = things["networks"], revision(member, "networks", things["networks"])
    made = member.made("subnets", network_id=network["id"], cidr="10.2.0.0/24")
    assert revision(member, "networks", network) == before + 1
    for _ in range(2):  # the second changes nothing
        assert member.put("subnets", made["id"], name="x", allocation_pools=made["allocation_pools"]).status == 200
        assert revision(member, "networks", network) == before + 2
    member("DELETE", f"/subnets/{made['id']}")
    assert revision(member, "networks", network) == before + 3
    assert member.get("networks", network["id"])["updated_at"] >= network["updated_at"]


def test_a_group_counts_changes_of_its_rules(member, things):
    group = things["security-groups"]
    rule = member.made("security-group-rules", security_group_id=group["id"], direction="egress", protocol="udp")
    assert revision(member, "security-groups", group) == group["revision_number"] + 1
    member("DELETE", f"/security-group-rules/{rule['id']}")
    assert revision(member, "security-groups", group) == group["revision_number"] + 2


def test_a_port_counts_changes_of_its_parts(admin, member, things):
    port = things["ports"]
    for number, change in enumerate((
            {"fixed_ips": [{"ip_address": "10.1.0.77"}]}, {"security_groups": [things["security-groups"]["id"]]},
            {"allowed_address_pairs": [{"ip_address": "10.1.0.78"}]},
            {"extra_dhcp_opts": [{"opt_name": "tftp-server", "opt_value": "1.2.3.4"}]}), start=1):
        assert member.put("ports", port["id"], **change).status == 200
        assert revision(member, "ports", port) == port["revision_number"] + number, change
    member("PUT", f"/routers/{things['routers']['id']}/add_router_interface", {"port_id": port["id"]})
    assert revision(admin, "ports", port) > port["revision_number"] + 4


def test_a_port_counts_that_it_is_plugged(network_api, things):
    service = frame.Caller(network_api, "service", "services")
    port = things["ports"]
    now = service.put("ports", port["id"], device_id="s", device_owner="compute:nova", **{"binding:host_id": "h"}).json["port"]
    assert now["status"] == "ACTIVE" and now["revision_number"] > port["revision_number"]
    assert service.get("ports", port["id"]) == now


def test_a_router_counts_its_gateway(admin, member, things):
    router, external = things["routers"], things["floatingips"]["floating_network_id"]
    member.put("routers", router["id"], external_gateway_info={"network_id": external})
    assert revision(member, "routers", router) == router["revision_number"] + 1
    member.put("routers", router["id"], external_gateway_info=None)
    assert revision(member, "routers", router) == router["revision_number"] + 2


def test_deleting_its_port_changes_the_revision_of_a_floating_ip(member, things):
    floating, router = things["floatingips"], things["routers"]["id"]
    member.put("routers", router, external_gateway_info={"network_id": floating["floating_network_id"]})
    member("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": things["subnets"]["id"]})
    joined = member.put("floatingips", floating["id"], port_id=things["ports"]["id"]).json["floatingip"]
    assert (joined["revision_number"], joined["status"]) == (floating["revision_number"] + 1, "ACTIVE")
    assert member("DELETE", f"/ports/{things['ports']['id']}").status == 204
    assert revision(member, "floatingips", floating) == joined["revision_number"] + 1
