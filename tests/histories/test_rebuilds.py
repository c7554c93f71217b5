"""Servers whose root volume gets another image, interrupted at every point in every way."""

import pytest

from common import server_states
from tests.histories import api, checks
from tests.histories.test_crashes import active
from tests.histories.test_migrations import HARM, POINTS, go, harm, sample, start
from tests.histories.world import HOSTS


def begun(world, *, stopped: bool = False) -> str:
    uuid = active(world, own_port=True, from_volume=True, volume=True)
    if stopped:
        api.power(world, uuid, "stop")
        world.run_all()
    world.wake(api.rebuild_volume(world, uuid))
    return uuid


def root(world, uuid: str) -> dict:
    device = next(d for d in world.row(uuid)["block_devices"] if d["boot_index"] == 0)
    return world.services.volumes[device["volume_id"]]


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("what", HARM)
def test_it_ends_well_whatever_happens_at_any_point(place, what, stopped):
    ends = set()
    for points in sample(what):
        with place.world() as world:
            uuid = begun(world, stopped=stopped)
            more = go(world, points)
            harm(world, what, uuid)
            if what != "reset":  # what the operator says of the guest need not be so
                checks.always(world)
            world.settle()
            if what == "reset":
                start(world, uuid)
            checks.at_rest(world)
            row = world.row(uuid)
            ends.add(row and row["vm_state"])
            assert row is None or what == "reset" or root(world, uuid)["images"] >= 1
        if not more:
            break
    else:
        raise AssertionError(f"there are more than {POINTS} points")
    right = server_states.STOPPED if stopped else server_states.ACTIVE
    assert ends <= {right, server_states.ACTIVE} if what == "reset" else ends == ({None} if what == "deleted" else {right})


def test_a_server_runs_again_if_the_volume_service_refuses_the_image(place):
    with place.world() as world:
        world.services.images_refused = True
        uuid = begun(world)
        world.settle()
        checks.at_rest(world)
        row = world.row(uuid)
        assert row["vm_state"] == server_states.ACTIVE and "it is reserved" in row["fault"]["message"]
        assert root(world, uuid)["status"] == "in-use"


def test_a_server_whose_volume_has_lost_everything_is_rebuilt_again(place):
    with place.world() as world:
        world.services.images_damaged = True
        uuid = begun(world)
        world.settle()
        row = world.row(uuid)
        assert row["vm_state"] == server_states.ERROR and "has not got the image" in row["fault"]["message"]
        assert world.guests(HOSTS[0]).get(uuid) is None
        world.services.images_damaged = False
        world.wake(api.rebuild_volume(world, uuid))
        world.settle()
        checks.at_rest(world)
        assert world.row(uuid)["vm_state"] == server_states.ACTIVE and root(world, uuid)["images"] == 2
