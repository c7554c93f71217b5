"""Requests that come to a host late: its server has left or is evacuated, and another host has been asked since, or will be."""

import pytest

from common import server_states
from tests.histories import api, checks
from tests.histories.test_crashes import active, well
from tests.histories.test_migrations import go
from tests.histories.world import HOSTS, World

ONE, TWO = HOSTS
BACK = {"stop": "start", "pause": "unpause", "soft-delete": "restore"}
STATE = {"stop": server_states.STOPPED, "pause": server_states.VM_PAUSED, "soft-delete": server_states.SOFT_DELETED}


def moved(world: World, uuid: str) -> None:
    """The server has left the first host for the second."""
    world.wake(api.migrate(world, uuid))
    world.settle()
    world.wake(api.confirm(world, uuid))
    world.settle()
    well(world, uuid, TWO)


def evacuate(world: World, uuid: str) -> None:
    """The first host is not heard of, and works."""
    world.fall_silent(ONE)
    world.wake(api.evacuate(world, uuid))


@pytest.mark.parametrize("action", ["reboot", "reboot-hard", "stop", "pause", "soft-delete"])
def test_what_is_asked_of_a_guest_is_done_by_the_host_that_has_it(world, action):
    """The same was asked of the former host, which was told twice."""
    uuid = active(world, own_port=True, volume=True)
    api.power(world, uuid, action)
    world.finish(world.deliver(keep=True))
    late = world.mail.pop()
    if action in BACK:
        api.power(world, uuid, BACK[action])
        world.run_all()
    moved(world, uuid)
    api.power(world, uuid, action)
    request = world.mail.pop()
    world.mail.append(late)
    world.finish(world.deliver())
    assert world.row(uuid)["task_state"] and world.guests(TWO)[uuid] == server_states.RUNNING and not world.guests(ONE)
    world.mail.append(request)
    world.settle()
    checks.at_rest(world)
    assert (world.row(uuid)["vm_state"], world.row(uuid)["host"]) == (STATE.get(action, server_states.ACTIVE), TWO)


def test_an_image_is_made_by_the_host_that_has_the_guest(world):
    """The former host is told twice of the same image."""
    uuid = active(world)
    moved(world, uuid)
    api.snapshot(world, uuid)
    _, *message = world.mail.pop()
    world.mail.append((ONE, *message))
    world.finish(world.deliver())
    assert world.row(uuid)["task_state"] in server_states.IMAGE_TASKS
    world.mail.append((TWO, *message))
    world.settle()
    checks.at_rest(world)
    image, = world.services.images.values()
    assert image["status"] == "active" and world.row(uuid)["fault"] is None


@pytest.mark.parametrize("change", [api.attach_volume, api.detach_volume])
@pytest.mark.parametrize("leave", ["evacuate", "shelve"])
def test_volumes_are_attached_and_detached_whenever_the_host_that_is_left_is_told(place, leave, change):
    for points in range(0, 80, 4):
        with place.world() as world:
            uuid = active(world, own_port=True, volume=True)
            change(world, uuid)
            late = world.mail.pop()
            if leave == "evacuate":
                evacuate(world, uuid)
            else:
                world.wake(api.shelve(world, uuid))
            more = go(world, points)
            world.mail.append(late)
            if work := world.deliver(len(world.mail) - 1):
                world.finish(work)
            world.settle()
            checks.at_rest(world)
            row = world.row(uuid)
            assert row["host"] == (TWO if leave == "evacuate" else None)
            # An attachment to a guest that is gone already is reported as failed.
            assert len(row["block_devices"]) in ((0,) if change is api.detach_volume else (2,) if row["host"] else (1, 2))
            assert len(row["block_devices"]) == len(world.services.attachments)
        if not more:
            break


def test_a_guest_moves_when_the_detachment_of_an_interface_that_was_interrupted_has_ended(place):
    """Its host could not reach the network service, and tries again while the guest moves."""
    for points in range(0, 90, 9):
        with place.world() as world:
            uuid = active(world, own_port=True, volume=True)
            api.detach_interface(world, uuid)
            work = world.go_to(world.deliver(), "GET ports")
            world.outages.append("before")
            world.finish(work)
            assert world.agents[ONE].tasks.pending()
            world.wake(api.migrate_live(world, uuid))
            more = go(world, points)
            world.recover(ONE)
            world.settle()
            checks.at_rest(world)
            well(world, uuid, TWO)
            assert len(world.row(uuid)["network_info"]) == 1
        if not more:
            break


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("own_port", [False, True])
def test_an_interface_of_a_host_that_was_cut_off_is_not_the_evacuated_servers(world, is_there, own_port):
    uuid = active(world)
    api.attach_interface(world, uuid, own_port=own_port)
    late = world.go_to(world.deliver(), "interface_attached")
    evacuate(world, uuid)
    while is_there and world.row(uuid)["host"] == ONE:
        others = [a for a in world.actors if not a.blocked and a is not late]
        if others:
            world.step(others[0])
        else:
            world.deliver()
    world.finish(late)
    assert len(world.row(uuid)["network_info"]) == 1
    world.settle()
    checks.at_rest(world)
    well(world, uuid, TWO)
    assert len([p for p in world.services.ports.values() if p["device_id"]]) == 1
