"""The network service knows which ports the compute service created for a server, and which it only bound."""

import pytest

from common import errors, rows
from network import cleanup, service
from network.db import models
from tests.network import frame

SERVER = {"device_id": "server", "device_owner": "compute:nova", "binding:host_id": "host1"}
UNBOUND = {"device_id": "", "device_owner": "", "binding:host_id": ""}


@pytest.fixture(scope="module")
def compute(network_api):
    return frame.Caller(network_api, "service", "services")


@pytest.fixture(scope="module")
def network(member):
    made = member.made("networks", name="n")["id"]
    member.made("subnets", network_id=made, cidr="10.1.0.0/24")
    return made


@pytest.fixture
def ports(compute, member, network):
    """(id of one that compute created, id of one that it bound)"""
    created = compute.made("ports", network_id=network, project_id="p1", **SERVER)["id"]
    bound = member.made("ports", network_id=network)["id"]
    assert compute.put("ports", bound, **SERVER).status == 200
    yield created, bound
    for port in (created, bound):
        compute("DELETE", f"/ports/{port}")


def created_for_server(compute, *port_ids: str) -> list:
    return [compute.get("ports", i)["created_for_server"] for i in port_ids]


def test_compute_learns_which_ports_it_created(compute, member, ports):
    assert created_for_server(compute, *ports) == [True, False]
    found = compute("GET", "/ports", device_id="server", relation="compute").json["ports"]
    assert {p["id"]: p["created_for_server"] for p in found} == dict(zip(ports, (True, False)))
    moved = compute.put("ports", ports[0], **{"binding:host_id": "host2"}).json["port"]
    assert moved["created_for_server"]
    member.put("ports", ports[0], name="renamed", description="by its owner")
    assert created_for_server(compute, *ports) == [True, False]


def test_nobody_else_sees_or_sets_it(member, admin, ports):
    for who in (member, admin):
        assert "created_for_server" not in who.get("ports", ports[0])
        assert "created_for_server" not in who("GET", "/ports", id=ports[0]).json["ports"][0]
        assert who.put("ports", ports[1], created_for_server=True).error == (400, "BadRequest")


@pytest.mark.parametrize("who", ["compute", "admin"])
def test_a_port_that_its_server_gave_up_is_its_owners(compute, admin, ports, who):
    port = ports[0]
    given = {"compute": UNBOUND, "admin": {"device_id": "", "device_owner": ""}}[who]
    assert {"compute": compute, "admin": admin}[who].put("ports", port, **given).status == 200
    assert created_for_server(compute, port) == [False]
    assert compute.put("ports", port, **{**SERVER, "device_id": "other"}).status == 200
    assert created_for_server(compute, port) == [False], "it was named in the other server's request"


def test_a_port_that_says_that_it_is_a_servers_was_not_created_for_it(compute, member, network):
    port = member.made("ports", network_id=network, device_id="server", device_owner="compute:nova")["id"]
    assert created_for_server(compute, port) == [False]
    member.put("ports", port, device_owner="")
    assert member("DELETE", f"/ports/{port}").status == 204


def test_of_a_port_of_an_earlier_release_it_is_not_known(network_api, compute, ports):
    network_api.db.transact(rows.update_where, models.ports, {"created_for_server": None}, id=ports[0])
    assert compute.put("ports", ports[0], **{"binding:host_id": "host3"}).json["port"]["created_for_server"] is None


def test_the_audit_gives_an_owners_port_back(network_api, compute, member, ports):
    created, bound = ports
    before = compute.get("ports", bound)
    for port in ports:
        cleanup.release_port(network_api.db, port, "server")
    assert compute("GET", f"/ports/{created}").status == 404
    after = compute.get("ports", bound)
    assert {name: after[name] for name in UNBOUND} == UNBOUND
    assert (after["status"], after["binding:vif_type"]) == ("DOWN", "unbound")
    assert after["fixed_ips"] == before["fixed_ips"] and after["revision_number"] > before["revision_number"]
    assert member.put("ports", bound, device_id="mine").status == 200, "no server's interface any more"


def test_the_audit_leaves_a_port_alone_that_was_given_away_meanwhile(network_api, compute, ports):
    for port in ports:
        for given in UNBOUND, {**SERVER, "device_id": "other"}:
            assert compute.put("ports", port, **given).status == 200
        cleanup.release_port(network_api.db, port, "server")
        assert compute.get("ports", port)["device_id"] == "other"
    compute("DELETE", f"/ports/{ports[0]}")
    cleanup.release_port(network_api.db, ports[0], "server")

def test_a_compute_service_that_is_away_is_asked_once(network_api, compute, member, network, monkeypatch):
    """Somebody waits for the answer: whoever renamed a group of many servers waited as long for each part of them."""
    asked = []

    def away(*args, **more):
        asked.append(args)
        raise errors.ServiceUnavailable(part="the compute service")
    monkeypatch.setattr(service, "MAX_EVENTS_PER_REQUEST", 1)
    group = member.made("security-groups", name="renamed")["id"]
    made = [compute.made("ports", network_id=network, project_id="p1", **{**SERVER, "device_id": server},
                         security_groups=[group])["id"] for server in ("one", "two")]
    with monkeypatch.context() as patched:
        patched.setattr(network_api.rest, "request", away)
        assert member.put("security-groups", group, name="else").status == 200 and len(asked) == 1
    for port in made:
        compute("DELETE", f"/ports/{port}")
