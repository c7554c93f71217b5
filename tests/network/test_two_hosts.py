"""Two hosts that build the same server, one of them late: what the agent asks of the network API itself."""

import pytest

from common import errors
from compute_agent.ports import Ports
from tests.network import frame

SERVER = "99999999-1111-4111-8111-111111111111"


class Rest:
    """``RestClient`` on the API in this process. ``between``: done once, before the next request that changes something."""

    def __init__(self, caller):
        self.caller, self.between = caller, None

    def request(self, method, service, where, *, body=None, headers=None, **_):
        if method != "GET" and self.between:
            work, self.between = self.between, None
            work()
        answer = self.caller(method, where.removeprefix("/v2.0"), body, headers)
        if answer.status >= 400:
            raise errors.from_status(answer.status, str(answer.json))
        return answer.json


@pytest.fixture
def network(member):
    made = member.made("networks", name="n")["id"]
    member.made("subnets", network_id=made, cidr="10.1.0.0/24")
    return made


@pytest.fixture
def instance(network, member):
    own = member.made("ports", network_id=network)["id"]
    return {"uuid": SERVER, "project_id": "p1", "hostname": "s", "security_groups": [], "vcpus": 2, "memory_mb": 64,
            "flavor": {}, "image_meta": {}, "requested_networks": [{"uuid": network}, {"uuid": network, "port": own}]}


@pytest.fixture
def hosts(network_api):
    caller = frame.Caller(network_api, "service", "services")
    return [Ports(Rest(caller), name) for name in ("one", "two")]


def nothing():
    pass


def superseded():
    raise errors.Superseded()


def bound(ports: Ports) -> dict[str, str]:
    found = ports.rest.request("GET", "network", f"/v2.0/ports?device_id={SERVER}&relation=compute")["ports"]
    return {p["id"]: p["binding:host_id"] for p in found}


def build(ports: Ports, server: dict, *, again: bool, check=nothing) -> set[str]:
    return {p["id"] for p in ports.build(server, server["requested_networks"], again=again, check=check)}


def test_the_next_host_takes_over_what_the_first_has_made(hosts, instance):
    one, two = hosts
    made = build(one, instance, again=False)
    assert len(made) == 2 and build(one, instance, again=True) == made
    assert build(two, instance, again=True) == made
    assert bound(one) == dict.fromkeys(made, "two")
    one.release(instance, check=None)
    assert bound(one) == dict.fromkeys(made, "two")
    two.release(instance, check=nothing)
    assert bound(two) == {}


def test_a_host_that_is_late_takes_no_port_and_leaves_none(hosts, instance):
    one, two = hosts
    made = build(two, instance, again=True)
    with pytest.raises(errors.Superseded):
        build(one, instance, again=False, check=superseded)
    with pytest.raises(errors.Superseded):
        one.release(instance, check=superseded)
    # It has learned that the server is still its own, and the other is quicker then.
    one.rest.between = lambda: build(two, instance, again=True)
    two.rest.request("PUT", "network", f"/v2.0/ports/{sorted(made)[0]}", body={"port": {"binding:host_id": "one"}})
    checks = iter((nothing, superseded))
    with pytest.raises(errors.Superseded):
        one.release(instance, check=lambda: next(checks)())
    assert bound(two) == dict.fromkeys(made, "two")
    two.release(instance, check=nothing)


def test_what_a_late_host_has_made_is_its_own_to_remove(hosts, instance):
    one, two = hosts
    made = build(two, instance, again=True)
    late = one.build(instance, instance["requested_networks"][:1], again=False, check=superseded)
    assert set(bound(one)) == made | {late[0]["id"]}
    one.release(instance, check=None)
    assert bound(one) == dict.fromkeys(made, "two")
    two.release(instance, check=nothing)
    own = instance["requested_networks"][1]["port"]
    assert one.rest.request("GET", "network", f"/v2.0/ports/{own}")["port"]["device_id"] == ""


def queues(ports: Ports) -> list:
    found = ports.rest.request("GET", "network", f"/v2.0/ports?device_id={SERVER}")["ports"]
    return [p["binding:profile"].get("multiqueue") for p in found]


def test_ports_have_several_queues_as_long_as_the_guest_has(hosts, instance):
    one, two = hosts
    several = {**instance, "image_meta": {"properties": {"hw_vif_multiqueue_enabled": "yes"}}}
    built = {**several, "network_info": one.build(several, several["requested_networks"], again=False, check=nothing)}
    assert queues(one) == [True, True] and not one.have_other_queues(built, True)
    two.move(built, check=nothing)  # it runs
    assert queues(one) == [True, True] and set(bound(one).values()) == {"two"}
    two.move(built, check=nothing, multiqueue=False)
    assert queues(one) == [None, None] and two.have_other_queues(built, True)
    two.plug(built, check=nothing, multiqueue=True)
    assert queues(one) == [True, True]
    two.build(instance, instance["requested_networks"], again=True, check=nothing)
    assert queues(one) == [None, None]
    two.build(several, several["requested_networks"], again=True, check=nothing)
    own = instance["requested_networks"][1]["port"]
    two.release(instance, check=nothing)
    kept = one.rest.request("GET", "network", f"/v2.0/ports/{own}")["port"]
    assert (kept["device_id"], kept["binding:profile"]) == ("", {})
