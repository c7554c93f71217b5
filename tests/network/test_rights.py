"""Where rules decide and how a refusal is told, beside tests/policies/test_network_personas.py, which tries every route."""

import pytest

from tests.network import frame

LISTS = ("networks", "subnets", "ports", "routers", "floatingips", "security-groups", "security-group-rules", "subnetpools",
         "metering/metering-labels", "metering/metering-label-rules", "agents", "network-ip-availabilities",
         "availability_zones", "service-providers")


@pytest.fixture(scope="module")
def network(member) -> str:
    made = member.made("networks", name="n")["id"]
    member.made("subnets", network_id=made, cidr="10.1.0.0/24")
    return made


@pytest.fixture(scope="module")
def shared(admin) -> dict:
    made = admin.made("networks", name="shared", shared=True)["id"]
    return {"id": made, "subnet": admin.made("subnets", network_id=made, cidr="10.2.0.0/24")["id"]}


@pytest.mark.parametrize("scope", [{"role": "meaningless"}, {"role": "admin", "project_id": None, "system": True},
                                   {"role": "admin", "project_id": None, "domain_id": "default"}])
def test_lists_show_what_one_may_see_and_are_never_refused(network_api, network, shared, scope):
    caller = frame.Caller(network_api, **scope)
    for plural in LISTS:
        found = caller("GET", f"/{plural}")
        assert found.status == 200, plural
        rows = found.json[plural.rsplit("/", 1)[-1].replace("-", "_")]
        ids = {row["id"] for row in rows}
        assert ids <= ({shared["id"], shared["subnet"]} if scope["role"] == "meaningless" else set()), plural
    assert caller("GET", f"/networks/{network}").error == (404, "NetworkNotFound")


def test_what_one_may_see_is_refused_by_rules_names_and_what_not_is_not_found(network_api, network, stranger):
    reader = frame.Caller(network_api, "reader")
    answer = reader("PUT", f"/networks/{network}", {"network": {"name": "x"}})
    assert answer.error == (403, "PolicyNotAuthorized")
    assert answer.message == "rule:update_network is disallowed by policy"
    for method, body in (("PUT", {"network": {"name": "x"}}), ("DELETE", None), ("GET", None)):
        assert stranger(method, f"/networks/{network}", body).error == (404, "NetworkNotFound")
    blind = frame.Caller(network_api, "meaningless")
    assert blind("DELETE", f"/networks/{network}").error == (404, "NetworkNotFound"), "of his own project, but unseen"
    assert stranger("GET", f"/networks/{network}/tags").status == 404


def test_a_refusal_names_all_rules(member, network):
    port = member.made("ports", network_id=network)["id"]
    answer = member.put("ports", port, mac_address="fa:16:3e:00:00:01")
    assert answer.status == 403
    assert answer.message == "(rule:update_port and rule:update_port:mac_address) is disallowed by policy"


@pytest.mark.parametrize(("given", "rule"), [
    ({"mac_address": "fa:16:3e:00:00:09"}, "mac_address"), ({"fixed_ips": [{"ip_address": "10.2.0.99"}]}, "fixed_ips:ip_address"),
    ({"port_security_enabled": True}, "port_security_enabled"), ({"allowed_address_pairs": []}, "allowed_address_pairs"),
    ({"binding:host_id": None}, "binding:host_id"), ({"binding:profile": {}}, "binding:profile"),
    ({"device_owner": "network:dhcp"}, "device_owner")])
def test_attributes_of_ports_on_anothers_network(member, shared, given, rule):
    """Also when they say what would be anyway."""
    answer = member("POST", "/ports", {"port": {"network_id": shared["id"], **given}})
    assert answer.status == 403 and f"rule:create_port:{rule}" in answer.message


def test_free_attributes_of_ports_on_anothers_network(member, shared):
    member.made("ports", network_id=shared["id"], device_id="x", device_owner="compute:x",
                fixed_ips=[{"subnet_id": shared["subnet"]}], **{"binding:vnic_type": "normal"})


def test_a_servers_interface_is_detached_and_not_deleted(network_api, member, network):
    port = member.made("ports", network_id=network, device_owner="compute:nova", device_id="s")["id"]
    answer = member("DELETE", f"/ports/{port}")
    assert answer.status == 403 and answer.message == "rule:delete_port is disallowed by policy"
    assert frame.Caller(network_api, "service", "services")("DELETE", f"/ports/{port}").status == 204


def test_only_administrators_and_services_may_name_another_project(network_api, admin, member):
    body = {"network": {"name": "x", "project_id": "p2"}}
    assert member("POST", "/networks", body).error == (400, "HTTPBadRequest")
    assert admin("POST", "/networks", body).json["network"]["project_id"] == "p2"
    refused = frame.Caller(network_api, "service", "services")("POST", "/networks", body)
    assert refused.message == "rule:create_network is disallowed by policy"


def test_what_the_role_service_is_for(network_api, admin, member, network):
    service = frame.Caller(network_api, "service", "services")
    port = service.made("ports", network_id=network, project_id="p1", **{
        "binding:host_id": "h", "binding:profile": {"a": 1}, "device_id": "s", "device_owner": "compute:nova"})
    assert port["binding:host_id"] == "h" and "binding:host_id" not in member.get("ports", port["id"])
    assert admin.put("ports", port["id"], **{"binding:profile": {}}).status == 403, "as in OpenStack"
    assert network in service.ids("networks") and "provider:segmentation_id" not in service.get("networks", network)
    router = member.made("routers", name="r")["id"]
    assert service("GET", f"/routers/{router}").status == 404 and service("GET", "/routers").json["routers"] == []
    for plural, values in (("networks", {}), ("routers", {}), ("security-groups", {"name": "g"})):
        assert service("POST", f"/{plural}", {plural.replace("-", "_")[:-1]: values}).status == 403
    assert service("PUT", f"/networks/{network}", {"network": {"name": "x"}}).status == 403
    assert service("DELETE", f"/ports/{port['id']}").status == 204


@pytest.mark.parametrize("scope", [{"system": True}, {"domain_id": "default"}])
def test_tokens_of_no_project_are_refused(network_api, network, scope):
    caller = frame.Caller(network_api, "admin", None, **scope)
    assert caller("POST", "/networks", {"network": {"name": "x"}}).status == 403
    assert caller("POST", "/networks", {"network": {"name": "x", "project_id": "p1"}}).status == 403
    for method, body in (("PUT", {"network": {"name": "x"}}), ("DELETE", None), ("GET", None)):
        assert caller(method, f"/networks/{network}", body).status == 404
    assert caller("GET", "/quotas/p1").status == 403 and caller("PUT", "/quotas/p1", {"quota": {"network": 1}}).status == 403
    assert caller("GET", "/agents/a/dhcp-networks").message == "rule:get_dhcp-networks is disallowed by policy"


def test_quotas(network_api, admin, member, stranger):
    reader, manager = frame.Caller(network_api, "reader"), frame.Caller(network_api, "manager")
    for where in ("", "/default", "/details"):
        assert reader("GET", f"/quotas/p1{where}").status == 200, "one's own project's"
        assert manager("GET", f"/quotas/p2{where}").message == "rule:get_quota is disallowed by policy"
        assert admin("GET", f"/quotas/p2{where}").status == 200
    assert member("GET", "/quotas/tenant").json == {"tenant": {"tenant_id": "p1"}}
    assert member("GET", "/quotas/project").json == {"project": {"project_id": "p1"}}
    assert manager("PUT", "/quotas/p1", {"quota": {"network": 1}}).status == 403
    assert manager("DELETE", "/quotas/p1").message == "rule:delete_quota is disallowed by policy"
    assert member("GET", "/quotas").status == 403
    assert admin("PUT", "/quotas/p3", {"quota": {"network": 0, "check_limit": True}}).json["quota"]["network"] == 0
    owner = frame.Caller(network_api, "member", "p3")
    refused = owner("POST", "/networks", {"network": {}})
    assert refused.error == (409, "OverQuota") and refused.message == (
        "Quota exceeded for resources: ['network']. Requested 1, but already used 0 of 0.")
    assert {"project_id": "p3", "network": 0}.items() <= admin("GET", "/quotas").json["quotas"][0].items()
    assert admin("DELETE", "/quotas/p3").status == 204
    owner.made("networks", name="n")
    answer = admin("PUT", "/quotas/p3", {"quota": {"network": 0}})
    assert answer.error == (400, "HTTPBadRequest")
    assert answer.message == "Quota limit 0 for network must be greater than or equal to already used 1"
    assert admin("PUT", "/quotas/p3", {"quota": {"network": 0, "force": True}}).status == 200
    assert admin("PUT", "/quotas/p3", {"quota": {"network": -1, "colour": 1}}).status == 400


def test_an_operators_file_for_neutron_holds(tmp_path, monkeypatch):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "network-policy.yaml").write_text(
        "create_network: rule:admin_only\nget_port: rule:admin_or_network_owner\n"
        "update_port: 'not field:port:device_owner=~^special: and rule:owner'\n")
    served = frame.service(str(tmp_path))
    admin, member = frame.Caller(served, "admin", "p0"), frame.Caller(served, "member")
    assert member("POST", "/networks", {"network": {}}).status == 403
    network = admin.made("networks", name="n", shared=True)["id"]
    port = frame.Caller(served, "member").made("ports", network_id=network)["id"]
    assert member.ids("ports") == [] and admin.ids("ports") == [port]
    assert member.put("ports", port, name="x").status == 200
    assert member.put("ports", port, device_owner="special:x").error == (404, "PortNotFound")
    served.db.engine.dispose()


def test_another_service_asks_whether_somebody_may_create_a_port(member, network, shared):
    """The compute service, whose hosts may choose every address."""
    def asked(network_id: str, address: str):
        return member("POST", "/ports/check", {"port": {"network_id": network_id, "fixed_ips": [{"ip_address": address}]}})
    before = member.ids("ports")
    assert asked(network, "10.1.0.77").status == 204 and member.ids("ports") == before
    assert asked(shared["id"], "10.2.0.77").message == (
        "(rule:create_port and rule:create_port:fixed_ips and rule:create_port:fixed_ips:ip_address) is disallowed by policy")
    assert asked("00000000-0000-4000-8000-000000000000", "10.2.0.77").status == 404
    assert asked(network, "x").status == 400 and member("POST", "/ports/check", {}).status == 400
