"""A round of every kind on each database; ``python -m tests.races`` runs as many as one likes. PILEUS_RACES: tries of each."""

import os

import pytest

from tests.races.__main__ import SERVERS, cloud_on
from tests.races.race import KINDS, WIDTH, Race

TRIES = int(os.environ.get("PILEUS_RACES", WIDTH))


@pytest.fixture(scope="module", params=list(SERVERS))
def racing(request):
    with cloud_on(request.param) as cloud:
        yield cloud


@pytest.mark.parametrize("name", list(KINDS))
def test_nothing_is_granted_twice(racing, name):
    race = Race(racing, TRIES)
    KINDS[name](race)
    assert (race.doubles, race.broken) == (0, [])
