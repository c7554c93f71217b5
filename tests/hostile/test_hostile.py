"""A few hundred hostile requests to each service; ``python -m tests.hostile`` sends as many as one likes."""

import os

import pytest

from tests.hostile.generator import PACKAGES, Generator, routes_of
from tests.hostile.runner import run
from tests.hostile.things import Things

REQUESTS, SEED = int(os.environ.get("PILEUS_HOSTILE_REQUESTS", "300")), int(os.environ.get("PILEUS_HOSTILE_SEED", "10"))


pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def things(cloud):
    return Things(cloud)


# Identity last: it is asked to take away accounts that the other services need.
@pytest.mark.parametrize("service", sorted(PACKAGES, key=lambda name: name == "identity"))
def test_nothing_is_answered_with_500_or_takes_long(things, service):
    report = run(service, things, REQUESTS, SEED)
    assert not report.faults, report.text()
    assert sum(n for status, n in report.statuses.items() if 200 <= status < 400) > REQUESTS / 20, report.text()


def test_every_route_is_asked(things):
    for service in PACKAGES:
        made = Generator(service, things, 1)
        assert {(r.method, r.path) for r in made.routes} == {(r.method, r.path) for r in routes_of(service)}
        for _ in range(len(made.routes)):
            made.next().encode()
