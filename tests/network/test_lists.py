"""What lists are asked: each filter and sort key is served or refused, and never ignored."""

import pytest

from network.db import heartbeats
from tests.network import frame

PLURALS = ("networks", "subnets", "ports", "routers", "floatingips", "security-groups", "security-group-rules", "subnetpools",
           "metering/metering-labels", "metering/metering-label-rules", "agents", "network-ip-availabilities",
           "availability_zones", "service-providers")
# Columns of tables that are nobody's business.
_INTERNAL = ("dhcp_host", "provider_segment", "gw_port_id", "host", "fip_port_id", "binding_host_id", "metadata")


@pytest.fixture(scope="module")
def networks(member, admin) -> list[dict]:
    made = [member.made("networks", name=name, description=name[0]) for name in ("a1", "a2", "b1")]
    admin.made("networks", name="a1")
    for row, tags in zip(made, (["Blue"], ["blue", "red"], [])):
        assert member("PUT", f"/networks/{row['id']}/tags", {"tags": tags}).status == 200
    return made


@pytest.mark.parametrize("plural", PLURALS)
@pytest.mark.parametrize("role", ["admin", "member"])
def test_unknown_names_are_refused(network_api, plural, role):
    caller = frame.Caller(network_api, role)
    for name in ("colour", "tags_any", *_INTERNAL):
        if (plural, name) == ("agents", "host"):
            continue
        answer = caller("GET", f"/{plural}", **{name: "x"})
        assert answer.error == (400, "HTTPBadRequest"), name
        assert answer.message == f"['{name}'] is invalid attribute for filtering"
        answer = caller("GET", f"/{plural}", sort_key=name, sort_dir="asc")
        assert answer.message == f"['{name}'] is invalid attribute for sort_keys"


@pytest.mark.parametrize("query", [{"sort_key": "name", "sort_dir": ["asc", "desc"]}, {"sort_key": "name", "sort_dir": "up"},
                                   {"sort_dir": "up"}, {"sort_key": "subnets"}, {"sort_key": "tags"}, {"limit": "-1"},
                                   {"limit": "x"}, {"limit": 1 << 70}])
def test_what_is_no_order_or_page_is_refused(member, query):
    assert member("GET", "/networks", **query).status == 400


def test_filters(member, networks):
    ids = [n["id"] for n in networks]
    for query, found in (({"name": "a1"}, ids[:1]), ({"name": ["a1", "b1"]}, [ids[0], ids[2]]), ({"id": ids[1]}, [ids[1]]),
                         ({"description": "a"}, ids[:2]), ({"name": "a", "description": "a"}, []), ({"project_id": "p1"}, ids),
                         ({"tenant_id": "p2"}, []), ({"status": "ACTIVE"}, ids), ({"shared": "true"}, []),
                         ({"revision_number": networks[2]["revision_number"]}, [ids[2]]), ({"name": ""}, [])):
        assert sorted(member.ids("networks", **query)) == sorted(found), query


def test_tags(member, networks):
    ids = [n["id"] for n in networks]
    for query, found in (({"tags": "Blue"}, ids[:1]), ({"tags": "blue"}, [ids[1]]), ({"tags": "blue,red"}, [ids[1]]),
                         ({"tags": "blu"}, []), ({"tags-any": "Blue,red"}, ids[:2]), ({"not-tags": "blue,red"}, [ids[0], ids[2]]),
                         ({"not-tags-any": "Blue,red"}, [ids[2]]), ({"tags": "red", "not-tags": "blue"}, [])):
        assert sorted(member.ids("networks", **query)) == sorted(found), query


@pytest.mark.parametrize("plural", ["networks", "subnets", "ports", "routers", "floatingips", "security-groups",
                                    "security-group-rules", "subnetpools"])
def test_changed_since(member, networks, plural):
    """The default security group is there for whoever looks, so no list of these two is empty."""
    member.ids("security-groups")
    everything = member.ids(plural)
    assert member.ids(plural, changed_since="2099-01-01T00:00:00Z") == []
    assert member.ids(plural, changed_since="2001-01-01T00:00:00Z") == everything
    for wrong in ("yesterday", "", "2099-13-01T00:00:00Z"):
        answer = member("GET", f"/{plural}", changed_since=wrong)
        assert answer.error == (400, "InvalidInput") and "YYYY-MM-DDTHH:MM:SSZ" in answer.message


def test_changed_since_the_moment_that_was_shown(member):
    made = member.made("networks", name="moment")
    assert made["id"] in member.ids("networks", changed_since=made["updated_at"])


def test_order(member, networks):
    names = [n["name"] for n in member("GET", "/networks", sort_key="name", sort_dir="desc", description=["a", "b"]
                                       ).json["networks"]]
    assert names == ["b1", "a2", "a1"]
    by_two = member("GET", "/networks", sort_key=["description", "name"], sort_dir=["desc", "asc"], description=["a", "b"])
    assert [n["name"] for n in by_two.json["networks"]] == ["b1", "a1", "a2"]


@pytest.mark.parametrize("plural", PLURALS[:10])
def test_what_every_list_is_sorted_by(member, plural):
    keys = ["id", "tenant_id", "project_id"] + ([] if "rule" in plural or plural == "floatingips" else ["name"])
    for query in (*[{"sort_key": key} for key in keys], {"sort_dir": "desc"}, {"sort_key": keys, "sort_dir": "desc"}):
        assert member("GET", f"/{plural}", limit=1, **query).status == 200, query


def test_the_old_spelling_of_urls(member, networks):
    one = networks[0]["id"]
    assert member("GET", "/networks.json?limit=1").json["networks"]
    assert member("GET", f"/networks/{one}.json").json["network"]["id"] == one
    assert member("PUT", f"/networks/{one}.json", {"network": {"name": "a1"}}).status == 200
    assert member("PUT", f"/networks/{one}/tags/x.json").status == 201 and member("GET", f"/networks/{one}/tags/x").status == 404
    assert member("DELETE", f"/networks/{one}/tags/x.json").status == 204


def test_pages_link_to_their_neighbours(member, networks):
    query = {"description": ["a", "b"], "sort_key": "name", "sort_dir": "asc"}
    whole = member("GET", "/networks", **query).json
    assert "networks_links" not in whole, "without a limit there are no pages"
    seen, page = [], member("GET", "/networks", limit=2, **query).json
    while True:
        seen += [n["name"] for n in page["networks"]]
        rels = {link["rel"]: link["href"] for link in page["networks_links"]}
        assert "previous" in rels
        if "next" not in rels:
            break
        assert len(page["networks"]) == 2
        page = member("GET", "/networks?" + rels["next"].split("?", 1)[1]).json
    assert seen == ["a1", "a2", "b1"]
    before = member("GET", "/networks?" + rels["previous"].split("?", 1)[1]).json
    assert [n["name"] for n in before["networks"]] == ["a1", "a2"]
    assert member("GET", "/networks", limit=2, marker="nonesuch").status == 404


def test_what_may_not_be_seen_may_not_be_searched(admin, member, networks):
    """Else a member learns by trying how the cloud is built."""
    number = admin.get("networks", networks[0]["id"])["provider:segmentation_id"]
    assert networks[0]["id"] in admin.ids("networks", **{"provider:segmentation_id": number})
    assert member.ids("networks", **{"provider:segmentation_id": number}) == []
    assert member.ids("networks", **{"provider:network_type": "vxlan"}) == []
    answer = member("GET", "/networks", sort_key="provider:segmentation_id", sort_dir="asc")
    assert answer.message == "['provider:segmentation_id'] is invalid attribute for sort_keys"
    assert admin("GET", "/networks", sort_key="provider:segmentation_id", sort_dir="asc").status == 200


def test_subnets_of_shared_networks(admin, member):
    network = admin.made("networks", name="shared", shared=True)["id"]
    subnet = admin.made("subnets", network_id=network, cidr="10.1.0.0/24")["id"]
    own = member.made("subnets", network_id=member.made("networks", name="own")["id"], cidr="10.1.0.0/24")["id"]
    assert member.ids("subnets", shared=True) == [subnet]
    assert own in member.ids("subnets", shared=False) and subnet not in member.ids("subnets", shared=False)
    external = admin.made("networks", **{"name": "ext", "router:external": True})["id"]
    outer = admin.made("subnets", network_id=external, cidr="192.0.2.0/24")["id"]
    assert member.ids("subnets", **{"router:external": True}) == [outer]
    assert member.get("subnets", outer)["router:external"] is True


def test_ports_by_their_addresses(member, networks):
    network = member.made("networks", name="addresses")["id"]
    one, other = (member.made("subnets", network_id=network, cidr=f"10.{n}.0.0/24")["id"] for n in (61, 62))
    a, b, c = (member.made("ports", network_id=network, fixed_ips=[{"ip_address": i} for i in ips])["id"] for ips in (
        ["10.61.0.201"], ["10.62.0.202"], ["10.61.0.203", "10.62.0.203"]))
    for filters, found in (
            (["ip_address=10.61.0.201"], [a]), (["ip_address=10.61.0.201", "ip_address=10.62.0.202"], [a, b]),
            ([f"subnet_id={one}", "ip_address_substr=.203"], [c]), ([f"subnet_id={other}"], [b, c]),
            ([f"subnet_id={one}", "ip_address=10.62.0.203"], []),
            (["ip_address_substr=.201", "ip_address_substr=.202"], [a, b]), (["ip_address_substr=%"], [])):
        assert set(member.ids("ports", fixed_ips=filters, device_owner="")) == set(found), filters
    for wrong in ("10.61.0.201", "address=10.61.0.201", ""):
        assert member("GET", "/ports", fixed_ips=wrong).error == (400, "InvalidInput")


def test_ip_availability(admin, networks):
    subnet = admin.made("subnets", network_id=networks[0]["id"], cidr="10.1.0.0/24")
    found = admin("GET", "/network-ip-availabilities", network_name="a1", tenant_id="p1").json["network_ip_availabilities"]
    assert [n["network_id"] for n in found] == [networks[0]["id"]]
    assert admin("GET", "/network-ip-availabilities", network_id=networks[0]["id"], ip_version=6).json[
        "network_ip_availabilities"][0]["subnet_ip_availability"] == []
    assert admin("GET", f"/network-ip-availabilities/{networks[0]['id']}").json["network_ip_availability"][
        "subnet_ip_availability"][0]["subnet_id"] == subnet["id"]


def test_tags_are_added_to_those_that_there_are(member):
    made = member.made("networks", name="tagged")["id"]
    assert member("PUT", f"/networks/{made}/tags", {"tags": ["a"]}).status == 200
    answer = member("POST", f"/networks/{made}/tags", {"tags": ["b", "a"]})
    assert (answer.status, answer.json) == (201, {"tags": ["b", "a"]})
    assert member("GET", f"/networks/{made}/tags").json == {"tags": ["a", "b"]}
    assert member("POST", f"/networks/{made}/tags", {"tags": ["c", "c"]}).status == 400
    assert member("POST", f"/networks/{made}/tags", {"tags": [f"t{n}" for n in range(49)]}).status == 400
    assert member("DELETE", f"/networks/{made}").status == 204


def test_metering_rules_of_both_ip_versions(admin):
    label = admin("POST", "/metering/metering-labels", {"metering_label": {"name": "both"}}).json["metering_label"]["id"]
    for given, shown in (("fd02::1/64", "fd02::/64"), ("10.0.0.0/8", "10.0.0.0/8"), ("fd03::5", "fd03::5/128")):
        made = admin("POST", "/metering/metering-label-rules", {"metering_label_rule": {
            "metering_label_id": label, "direction": "ingress", "remote_ip_prefix": given}}).json["metering_label_rule"]
        assert made["source_ip_prefix"] == made["remote_ip_prefix"] == shown
    mixed = {"metering_label_id": label, "source_ip_prefix": "::/0", "destination_ip_prefix": "0.0.0.0/0"}
    assert admin("POST", "/metering/metering-label-rules", {"metering_label_rule": mixed}).status == 400
    assert admin("DELETE", f"/metering/metering-labels/{label}").status == 204


def test_service_providers(member):
    found = member("GET", "/service-providers").json["service_providers"]
    assert [(p["name"], p["default"]) for p in found] == [("single_node", True), ("dvr", False)]
    assert {p["service_type"] for p in found} == {"L3_ROUTER_NAT"}
    assert member("GET", "/service-providers", default="false").json["service_providers"] == found[1:]
    assert member("GET", "/extensions/service-type").json["extension"]["alias"] == "service-type"


def test_agents_are_filtered_and_sorted(network_api, admin):
    with network_api.db.writer() as connection:
        for host in ("h1", "h2"):
            heartbeats.write(connection, {host: {"roles": ["DHCP agent", "L3 agent"]}})
    assert len(admin.ids("agents")) == 4 and len(admin.ids("agents", host="h1", alive=True)) == 2
    assert admin.ids("agents", alive="false") == [] and len(admin.ids("agents", binary="neutron-l3-agent")) == 2
    hosts = [a["host"] for a in admin("GET", "/agents", sort_key="host", sort_dir="desc").json["agents"]]
    assert hosts == ["h2", "h2", "h1", "h1"]
    first = admin.ids("agents", limit=3)
    assert len(first) == 3 and first + admin.ids("agents", limit=3, marker=first[-1]) == admin.ids("agents")
