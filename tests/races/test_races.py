"""A round of the kinds of races; ``python -m tests.races`` runs as many of all as one likes.

PostgreSQL runs those that once granted too much there and half of the others, the other databases a sixth each, as PILEUS_SEED
chooses; one of a crowd that asks for everything runs always. PILEUS_RACES: how many tries of each kind; then all run everywhere.
"""

import contextlib
import os
import zlib

import pytest

from tests.races.__main__ import SERVERS, cloud_on
from tests.races.race import KINDS, WIDTH, Race

TRIES = int(os.environ.get("PILEUS_RACES", WIDTH))
SEED = os.environ.get("PILEUS_SEED", "1")
SHARE = {"postgresql": 2}  # one in so many
ALWAYS = {("postgresql", name) for name in (
    "security groups over quota", "overlapping subnets", "instances over quota", "volumes over quota",
    "one VXLAN id for two networks", "one port plugged into two running servers", "metadata of a server kept",
    "tags of a server kept", "claims of servers deleted while they are placed")} | {
        ("sqlite", "a crowd asks for everything of some servers")}
assert {name for _, name in ALWAYS} <= set(KINDS)
CASES = [(database, name) for database in SERVERS for name in KINDS if "PILEUS_RACES" in os.environ
         or (database, name) in ALWAYS or zlib.crc32(f"{SEED} {database} {name}".encode()) % SHARE.get(database, 6) == 0]


@pytest.fixture(scope="module")
def cloud_with():
    """The cloud on a database; asking for another database ends the one before."""
    with contextlib.ExitStack() as stack:
        running: dict = {}

        def asked(database: str):
            if database not in running:
                stack.close()
                running.clear()
                running[database] = stack.enter_context(cloud_on(database))
            return running[database]
        yield asked


@pytest.mark.parametrize(("database", "name"), CASES)
def test_nothing_is_granted_twice(cloud_with, database, name):
    race = Race(cloud_with(database), TRIES, SEED)
    KINDS[name](race)
    assert (race.doubles, race.broken) == (0, [])
    assert race.granted
