"""Live migrations of a server with a volume and a port of its owner's, interrupted at every point in every way: the guest ends on
one host, the one that the database names, and runs there."""

import os

import pytest

from common import errors, server_states
from tests.histories import api, checks
from tests.histories.test_crashes import active
from tests.histories.test_migrations import go, harm, start
from tests.histories.world import HOSTS, Peers

ONE, TWO = HOSTS
HARM = ("crash of one", "crash of two", "conductor killed", "all doubled", "all lost", "services away", "deleted", "reset",
        "power of one", "power of two", "aborted")
POINTS = 200
STRIDE = int(os.environ.get("PILEUS_STRIDE", "17"))  # 1: every point


def _harm(world, what: str, uuid: str) -> None:
    if what.startswith("power"):
        world.cut_power(ONE if what.endswith("one") else TWO)
    elif what == "aborted":
        api.abort_live(world, uuid)
    else:
        harm(world, what, uuid)


@pytest.mark.parametrize("what", HARM)
def test_it_ends_on_one_host_whatever_happens_at_any_point(place, what):
    ends = set()
    for points in range(0, POINTS, STRIDE):
        with place.world() as world:
            uuid = active(world, own_port=True, volume=True)
            world.wake(api.migrate_live(world, uuid))
            more = go(world, points)
            _harm(world, what, uuid)
            running = [host for host in HOSTS if world.guests(host).get(uuid) == server_states.RUNNING]
            assert len(running) <= 1, f"it runs on {running} after {points} points"
            world.settle()
            if what == "reset" or what.startswith("power"):
                start(world, uuid)
            checks.at_rest(world)
            row = world.row(uuid)
            ends.add(row and (row["vm_state"], row["host"]))
        if not more:
            break
    else:
        raise AssertionError(f"there are more than {POINTS} points")
    stays, moved = (server_states.ACTIVE, ONE), (server_states.ACTIVE, TWO)
    assert ends <= ({None} if what == "deleted" else {stays, moved})
    if what in ("conductor killed", "all doubled", "all lost", "services away"):
        assert ends == {moved}
    if what == "aborted":
        assert ends == {stays, moved}


def test_a_target_that_is_gone_for_long_is_not_waited_for(place):
    for points in range(0, POINTS, 3 * STRIDE):
        with place.world() as world:
            uuid = active(world, own_port=True, volume=True)
            world.wake(api.migrate_live(world, uuid))
            more = go(world, points)
            world.crash(TWO)
            world.fall_silent(TWO)
            for _ in range(4):
                if not go(world, 20):
                    break
            world.settle()
            checks.at_rest(world)
            assert world.row(uuid)["vm_state"] == server_states.ACTIVE
        if not more:
            break


def test_a_guest_runs_on_the_target_only_when_the_database_says_that_it_is_there(place):
    with place.world() as world:
        uuid = active(world, own_port=True, volume=True)
        world.wake(api.migrate_live(world, uuid))
        while world.guests(TWO).get(uuid) != server_states.RUNNING:
            assert go(world, 1)
        assert world.row(uuid)["host"] == TWO
        world.cut_power(ONE)
        world.fall_silent(ONE)
        world.settle()
        checks.at_rest(world)
        assert (world.row(uuid)["vm_state"], world.row(uuid)["host"]) == (server_states.ACTIVE, TWO)


def test_a_guest_that_is_found_running_on_the_target_is_there_while_the_source_is_gone(place, monkeypatch):
    """The source's agent is gone with its host as soon as the guest runs on the target, before it has told the conductor. That
    may happen where its target is of the release before."""
    def too_old(*args):
        raise errors.ServiceTooOld(part="compute-agent")
    monkeypatch.setattr(Peers, "guest_moved", too_old)
    with place.world() as world:
        uuid = active(world, own_port=True, volume=True)
        world.wake(api.migrate_live(world, uuid))
        for _ in range(POINTS):
            go(world, 1)
            if world.guests(TWO).get(uuid) == server_states.RUNNING:
                break
        assert world.row(uuid)["host"] == ONE
        world.cut_power(ONE)
        world.fall_silent(ONE)
        for _ in range(4):
            if not go(world, 20):
                break
        assert world.row(uuid)["host"] == TWO and world.guests(TWO)[uuid] == server_states.RUNNING
        world.settle()
        checks.at_rest(world)
        assert (world.row(uuid)["vm_state"], world.row(uuid)["host"]) == (server_states.ACTIVE, TWO)


def test_it_moves_where_the_source_is_of_the_release_before(place, monkeypatch):
    """It does not say that it may be told that its guest is expected."""
    offer_disks = Peers.offer_disks

    def of_before(*args):
        return {name: value for name, value in offer_disks(*args).items() if name != "takes_over"}
    monkeypatch.setattr(Peers, "offer_disks", of_before)
    with place.world() as world:
        uuid = active(world, own_port=True, volume=True)
        world.wake(api.migrate_live(world, uuid))
        world.run_all()
        checks.at_rest(world)
        assert (world.row(uuid)["vm_state"], world.row(uuid)["host"]) == (server_states.ACTIVE, TWO)
