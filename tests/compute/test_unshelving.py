"""The host that a server is unshelved to."""

import pytest

from common import errors
from compute_api.services.shelving import check_host

SERVICES = [{"host": "one", "zone": "east"}, {"host": "two", "zone": "west"}]


@pytest.mark.parametrize(("host", "zone"), [("one", None), ("one", "east")])
def test_a_host_of_the_zone(host, zone):
    check_host(SERVICES, host, zone)


def test_a_host_of_another_zone():
    with pytest.raises(errors.Conflict, match='Host "one" is not in the availability zone "west".'):
        check_host(SERVICES, "one", "west")


def test_an_unknown_host():
    with pytest.raises(errors.BadRequest, match="Compute host three could not be found."):
        check_host(SERVICES, "three", None)
