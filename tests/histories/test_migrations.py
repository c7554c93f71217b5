"""Migrations of a server with a volume and a port of its owner's, interrupted at every point in every way."""

import os

import pytest

from common import context, server_states
from tests.histories import api, checks
from tests.histories.test_crashes import active
from tests.histories.world import HOSTS

ONE, TWO = HOSTS
ACTIONS = ("migrate", "confirm", "revert", "resize here", "confirm here", "revert here")
HARM = ("crash of one", "crash of two", "conductor killed", "all doubled", "all lost", "services away", "deleted", "reset")
POINTS = 100  # more than any of the actions has
STRIDE = int(os.environ.get("PILEUS_STRIDE", "10"))  # 1: every point


def moving(world, action: str) -> str:
    """A server that runs on ONE and has begun to move to TWO, or has moved and begun to be confirmed or reverted.

    "here": it is resized, and stays on ONE.
    """
    uuid = active(world, own_port=True, volume=True)
    action, _, here = action.partition(" ")
    if here:
        api.disable(world, TWO)
        world.wake(api.resize(world, uuid))
        if action == "resize":
            return uuid
        world.settle()
        assert (world.row(uuid)["vm_state"], world.row(uuid)["host"]) == (server_states.RESIZED, ONE)
        world.wake(getattr(api, action)(world, uuid))
        return uuid
    if action == "migrate":
        world.wake(api.migrate(world, uuid))
        return uuid
    world.wake(api.migrate(world, uuid))
    world.settle()
    assert (world.row(uuid)["vm_state"], world.row(uuid)["host"]) == (server_states.RESIZED, TWO)
    world.wake(getattr(api, action)(world, uuid))
    return uuid


def go(world, points: int) -> bool:
    """Let that many things happen, in turn; whether there was so much to do."""
    for _ in range(points):
        free = [a for a in world.actors if not a.blocked]
        if free:
            world.step(free[0])
        elif world.mail and world.mail[0][0] in world.agents:
            world.deliver()
        elif world.operations_left():
            world.pass_of_operations()
        else:
            return False
    return True


def sample(what: str) -> range:
    """Half as many points as usual, and others for each harm."""
    return range(HARM.index(what) * STRIDE // 4 % (2 * STRIDE), POINTS, max(1, 2 * STRIDE)) if STRIDE > 1 else range(POINTS)


def harm(world, what: str, uuid: str) -> None:
    if what.startswith("crash"):
        world.crash(ONE if what.endswith("one") else TWO)
    elif what == "conductor killed":
        world.crash_conductor()
    elif what == "all doubled":
        world.mail.extend(world.mail)
        for index in range(len(world.mail)):
            world.deliver(index, keep=True)
    elif what == "all lost":
        world.mail.clear()
    elif what == "services away":
        world.outages += ["before", "after", "before"]
    elif what == "reset":
        api.reset_state(world, uuid)
    else:
        api.delete(world, uuid)


def start(world, uuid: str) -> None:
    """What a user does who finds his server stopped, once its host has told that it is."""
    row = world.row(uuid)
    world.conductor.report_power(context.service_context(), row["host"], world.guests(row["host"]))
    if world.row(uuid)["vm_state"] == server_states.STOPPED:
        api.power(world, uuid, "start")
        world.settle()


def harm_and_settle(world, what: str, uuid: str) -> dict | None:
    """:returns: the server's row, if it is still there, when all is at rest"""
    before = world.row(uuid)["attempt"]
    harm(world, what, uuid)
    if what == "reset" and world.row(uuid)["attempt"] != before:  # it was not refused: no guest runs on the host that is left
        assert {host for host in HOSTS if world.guests(host).get(uuid) == server_states.RUNNING} <= {world.row(uuid)["host"]}
    if what != "reset":  # what the operator says of the guest need not be so
        checks.always(world)
    world.settle()
    if what == "reset":
        start(world, uuid)
    checks.at_rest(world)
    return world.row(uuid)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("what", HARM)
def test_it_ends_well_whatever_happens_at_any_point(place, action, what):
    ends = set()
    for points in sample(what) if action.endswith("here") else range(0, POINTS, STRIDE):
        with place.world() as world:
            uuid = moving(world, action)
            more = go(world, points)
            row = harm_and_settle(world, what, uuid)
            ends.add(row and (row["vm_state"], row["host"], row["flavor"]["name"]))
            if row and what != "reset":
                assert world.disk(row["host"], uuid) == f"{row['flavor']['disk']} GiB"
        if not more:
            break
    else:
        raise AssertionError(f"there are more than {POINTS} points")
    right = {"migrate": (server_states.RESIZED, TWO, "small"), "confirm": (server_states.ACTIVE, TWO, "small"),
             "revert": (server_states.ACTIVE, ONE, "small"), "resize here": (server_states.RESIZED, ONE, "large"),
             "confirm here": (server_states.ACTIVE, ONE, "large"), "revert here": (server_states.ACTIVE, ONE, "small")}[action]
    if what == "reset":  # it stays where it is by then; a reset that is refused changes nothing
        assert {end[:2] for end in ends} <= {(server_states.ACTIVE, ONE), (server_states.ACTIVE, TWO), right[:2]}
        return
    assert ends == ({None} if what == "deleted" else {right})


@pytest.mark.parametrize("action", ["migrate", "revert"])
def test_a_host_that_is_gone_for_long_is_not_waited_for_on_the_way_out(place, action):
    """Of a migration its target: the server goes back to where its disk is, and what is left there is removed later."""
    ends = set()
    gone = TWO if action == "migrate" else ONE
    for points in range(0, POINTS, STRIDE):
        with place.world() as world:
            uuid = moving(world, action)
            more = go(world, points)
            world.crash(gone)
            world.fall_silent(gone)
            for _ in range(30):
                if not go(world, 20):
                    break
            world.settle()
            checks.at_rest(world)
            ends.add((world.row(uuid)["vm_state"], world.row(uuid)["host"]))
        if not more:
            break
    stays = (server_states.ACTIVE, ONE) if action == "migrate" else (server_states.RESIZED, TWO)
    moved = (server_states.RESIZED, TWO) if action == "migrate" else (server_states.ACTIVE, ONE)
    assert ends == {stays, moved}
