"""What a host stores of a server's ports."""

import pytest

from common import errors
from compute_agent.ports import Ports

PORTS = [{"id": f"p{n}", "network_id": n, "mac_address": "fa:16:3e:00:00:01", "fixed_ips": []} for n in ("a", "b")]


class Rest:
    """The network service, which knows two networks."""

    def __init__(self):
        self.asked = []

    def request(self, method, service, path):
        self.asked.append(str(path))
        return {"networks": [{"id": n, "name": f"told-{n}", "mtu": 1400} for n in ("a", "b") if f"id={n}" in path]}


@pytest.mark.parametrize(("known", "names", "asked"), [
    ("ab", ["known-a", "known-b"], []), ("b", ["told-a", "known-b"], ["/v2.0/networks?id=a"]),
    ("", ["told-a", "told-b"], ["/v2.0/networks?id=a&id=b"])])
def test_only_networks_that_the_request_does_not_describe_are_asked_for(known, names, asked):
    wanted = [{"uuid": n, **({"network": {"name": f"known-{n}", "mtu": 1500}} if n in known else {})} for n in ("a", "b")]
    rest = Rest()
    found = Ports(rest, "host").network_info(PORTS, wanted)
    assert [p["network_name"] for p in found] == names and rest.asked == asked
    assert [p["mtu"] for p in found] == [1500 if n in known else 1400 for n in ("a", "b")]


def test_a_network_that_went_with_its_ports_meanwhile_is_told():
    """The server is being deleted elsewhere, or was; an unexpected error would hide that."""
    gone = [{**PORTS[0], "network_id": "c"}]
    with pytest.raises(errors.StepFailed, match="Network c could not be found"):
        Ports(Rest(), "host").network_info(gone, [])
