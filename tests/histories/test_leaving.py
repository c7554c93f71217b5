"""Servers that leave a host in the middle of work on them: the host is killed at any point of it, and is dead when they are
evacuated, or does not come to what it had begun before they are migrated or shelved.
"""

import pytest

from common import errors, server_states
from tests.histories import api, checks
from tests.histories.test_crashes import active, own_port_of
from tests.histories.test_evacuations import end, lose
from tests.histories.test_migrations import POINTS, STRIDE
from tests.histories.world import HOSTS, World

ONE, TWO = HOSTS
LEAVE = {"evacuate": (server_states.ACTIVE, TWO), "migrate": (server_states.RESIZED, TWO),
         "migrate_live": (server_states.ACTIVE, TWO), "shelve": (server_states.SHELVED_OFFLOADED, None)}
WORK = ("attach_volume", "detach_volume", "extend_volume", "attach_interface", "detach_interface", "snapshot")
# Nobody asks again for what became of others: what their journals were about is left as it is.
BROKEN = ("attach_volume", "detach_volume", "extend_volume", "attach_interface", "snapshot")


def interrupted(world: World, work: str, points: int) -> tuple[str, bool]:
    """A server, and whether the work on it had not ended at that point, when its host was killed."""
    uuid = active(world, own_port=True, volume=True)
    more = {"attach_interface": {"own_port": True}, "detach_interface": {"port_id": own_port_of(world)}}.get(work, {})
    getattr(api, work)(world, uuid, **more)
    actor = world.deliver()
    for _ in range(points):
        if not actor.ended:
            world.step(actor)
    unfinished = not actor.ended
    world.crash(ONE)
    return uuid, unfinished


def forgetful(world: World) -> None:
    """The host's agent is back, but what it has in its journals cannot be settled yet."""
    world.boot_host(ONE)
    for actor in [a for a in world.actors if a.name.startswith("recover")]:
        actor.kill()
    world._bury()
    world.agents[ONE].tasks.settle = lambda *_: None


@pytest.mark.parametrize(("work", "broken"), [*((work, False) for work in WORK), *((work, True) for work in BROKEN)])
@pytest.mark.parametrize("leave", LEAVE)
def test_nothing_is_left_of_work_that_was_interrupted(place, leave, work, broken):
    first = (WORK.index(work) + 3 * list(LEAVE).index(leave) + 5 * broken) % STRIDE
    for points in range(first, POINTS, STRIDE):
        with place.world() as world:
            world.troubled = True
            uuid, unfinished = interrupted(world, work, points)
            if broken:
                for path in (world.path / ONE / "tasks" / "compute").glob("*.json"):
                    path.write_bytes(path.read_bytes()[:30])
            try:
                began = _leave(world, uuid, leave)
            except errors.InvalidState:  # a snapshot must end first, unless its host is dead
                assert work == "snapshot" and leave != "evacuate"
                began = False
            world.settle()
            checks.at_rest(world)
            row = world.row(uuid)
            assert not began or (row["vm_state"], row["host"]) == LEAVE[leave]
        if not unfinished:
            break
    else:
        raise AssertionError(f"there are more than {POINTS} points")


def _leave(world: World, uuid: str, leave: str) -> bool:
    if leave == "evacuate":
        lose(world, "agent killed")
        world.wake(api.evacuate(world, uuid))
        for volume in world.services.volumes.values():  # whose service does not wait for the host for ever
            volume["status"] = "in-use" if volume["status"] == "extending" else volume["status"]
        end(world)
        return True
    operation_id = getattr(api, leave)(world, uuid)
    forgetful(world)
    world.wake(operation_id)
    for _ in range(4):
        world.run_all()
        world.pass_of_extensions()
        world.pass_of_operations()
    world.run_all()
    del world.agents[ONE].tasks.settle
    return True


def test_a_guest_that_was_stopped_to_move_does_not_run_again_for_an_extension(world):
    """Its host was killed before the guest was paused for that, and goes on with it when the guest is off."""
    uuid = active(world, volume=True)
    api.extend_volume(world, uuid)
    world.go_to(world.deliver(), "pause")
    world.crash(ONE)
    assert _leave(world, uuid, "migrate")
    world.settle()
    checks.at_rest(world)
    assert (world.row(uuid)["vm_state"], world.row(uuid)["host"]) == LEAVE["migrate"]
    assert world.guests(ONE)[uuid] == server_states.SHUTDOWN
