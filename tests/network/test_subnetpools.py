"""Cutting subnets out of pools."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from network.services.subnetpools import _first_free, networks_of

WHOLE = ipaddress.ip_network("10.0.0.0/24")


@given(st.lists(st.integers(25, 30), max_size=12))
def test_cuts_never_overlap_and_fill_the_pool(lengths):
    taken: list = []
    for length in lengths:
        found = _first_free(WHOLE, taken, length)
        size = 1 << (32 - length)
        if found is None:
            starts = range(0, 256, size)
            blocks = [ipaddress.ip_network((int(WHOLE[0]) + s, length)) for s in starts]
            assert all(any(b.overlaps(t) for t in taken) for b in blocks), "a free block was overlooked"
        else:
            net = ipaddress.ip_network(found)
            assert net.subnet_of(WHOLE) and not any(net.overlaps(t) for t in taken)
            taken.append(net)


def test_neighbouring_prefixes_become_one():
    assert [str(n) for n in networks_of(["10.1.0.0/16", "10.0.0.0/16"])] == ["10.0.0.0/15"]


def test_a_projects_share_of_a_pool_counts_its_own_subnets(admin, member, stranger):
    """Also where the other projects' subnets lie between them."""
    pool = admin.made("subnetpools", prefixes=["10.50.0.0/16"], default_prefixlen=24, shared=True, default_quota=512)["id"]

    def cut(caller, cidr: str):
        network = caller.made("networks")["id"]
        subnet = {"network_id": network, "subnetpool_id": pool, "ip_version": 4, "cidr": cidr}
        return caller("POST", "/subnets", {"subnet": subnet})
    assert cut(member, "10.50.2.0/24").status == 201
    assert cut(stranger, "10.50.0.0/26").status == 201
    assert cut(member, "10.50.3.0/24").status == 201, "512 addresses are the project's share"
    assert cut(member, "10.50.4.0/26").error == (409, "SubnetPoolQuotaExceeded")
