"""A server begins to move while its host still attaches or detaches a volume or a port: what it was asked for before is done
first, or taken back, and lost on neither host."""

import pytest

from tests.histories import api, checks
from tests.histories.test_crashes import active
from tests.histories.test_migrations import go
from tests.histories.world import HOSTS

_, TWO = HOSTS
POINTS, STRIDE = 60, 3
CHANGES = {
    "attach_volume": lambda world, uuid: api.attach_volume(world, uuid),
    "detach_volume": lambda world, uuid: api.detach_volume(world, uuid),
    "attach_interface": lambda world, uuid: api.attach_interface(world, uuid, own_port=False),
    "detach_interface": lambda world, uuid: api.detach_interface(world, uuid),
    "attach an owner's port": lambda world, uuid: api.attach_interface(world, uuid, own_port=True),
}
MOVES = {"migrate": api.migrate, "migrate_live": api.migrate_live, "shelve": api.shelve}


def go_without(world, work) -> None:
    """Let everybody else go on for as long as there is something to do."""
    for _ in range(400):
        free = [a for a in world.actors if not a.blocked and a is not work]
        if free:
            world.step(free[0])
        elif world.mail and world.mail[0][0] in world.agents:
            world.deliver()
        else:
            return
    raise AssertionError("it goes on and on")


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("change", CHANGES)
def test_what_was_asked_for_before_is_lost_on_neither_host(place, change, move):
    for points in range(0, POINTS, STRIDE):
        with place.world() as world:
            uuid = active(world, own_port=True, volume=True)
            CHANGES[change](world, uuid)
            work = world.deliver()
            for _ in range(points):
                if not work.ended:
                    world.step(work)
            over = work.ended
            world.wake(MOVES[move](world, uuid))
            go_without(world, work)
            go(world, POINTS)
            world.settle()
            checks.at_rest(world)
            row = world.row(uuid)
            if row["host"]:
                checks.whole(world, row)
            assert (row["host"] == TWO) == (move != "shelve")
            volumes = {"attach_volume": 2, "detach_volume": 0}.get(change, 1)
            assert len(row["block_devices"]) == volumes == len(world.services.attachments), points
        if over:
            break
    else:
        raise AssertionError("it has more points")
