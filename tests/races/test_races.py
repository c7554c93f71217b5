"""A round of each kind on each database; ``python -m tests.races`` runs as many as one likes.

PILEUS_RACES: how many tries of each kind. Without it there is one round, and kinds that take seconds run on one database.
"""

import os

import pytest

from tests.races.__main__ import SERVERS, cloud_on
from tests.races.race import KINDS, WIDTH, Race

TRIES = int(os.environ.get("PILEUS_RACES", WIDTH))
SLOW = ("one port plugged", "one volume in two", "claims of servers", "gigabytes over quota by growth", "one port in two servers")


@pytest.fixture(scope="module", params=list(SERVERS))
def racing(request):
    with cloud_on(request.param) as cloud:
        yield cloud


@pytest.mark.parametrize("name", list(KINDS))
def test_nothing_is_granted_twice(racing, name, request):
    if name.startswith(SLOW) and "PILEUS_RACES" not in os.environ and "postgresql" not in request.node.name:
        pytest.skip("takes seconds; PILEUS_RACES runs it")
    race = Race(racing, TRIES)
    KINDS[name](race)
    assert (race.doubles, race.broken) == (0, [])
