"""Servers that are shelved and unshelved, with a volume and a port of their owner's, interrupted at every point in every way."""

import pytest

from common import context, server_states
from conductor.db import actions
from tests.histories import api, checks
from tests.histories.test_crashes import active
from tests.histories.test_migrations import HARM, POINTS, go, harm, sample, start
from tests.histories.world import HOSTS

ONE, TWO = HOSTS
ACTIONS = ("shelve", "shelve paused", "shelve with a boot volume", "unshelve", "unshelve with a boot volume")


def begun(world, action: str) -> str:
    """A server that has begun to be shelved, or is shelved and has begun to be unshelved."""
    verb, _, how = action.partition(" ")
    uuid = active(world, own_port=True, **{"from_volume" if "boot volume" in how else "volume": True})
    if how == "paused":
        api.power(world, uuid, "pause")
        world.run_all()
        assert world.row(uuid)["vm_state"] == server_states.VM_PAUSED
    world.wake(api.shelve(world, uuid))
    if verb == "unshelve":
        world.settle()
        checks.at_rest(world)
        assert world.row(uuid)["vm_state"] == server_states.SHELVED_OFFLOADED
        world.wake(api.unshelve(world, uuid))
    return uuid


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("what", HARM)
def test_it_ends_well_whatever_happens_at_any_point(place, action, what):
    ends = set()
    for points in sample(what):
        with place.world() as world:
            uuid = begun(world, action)
            more = go(world, points)
            harm(world, what, uuid)
            if what != "reset":  # what the operator says of the guest need not be so
                checks.always(world)
            world.settle()
            row = world.row(uuid)
            if what == "reset" and row["host"]:
                assert uuid in world.agents[row["host"]].driver.directories(), "the server has lost its disk"
                if world.guests(row["host"]).get(uuid) == server_states.PAUSED:  # which nobody may unpause now
                    api.power(world, uuid, "reboot-hard")
                    world.settle()
                start(world, uuid)
            checks.at_rest(world)
            row = world.row(uuid)
            ends.add(row and row["vm_state"])
        if not more:
            break
    else:
        raise AssertionError(f"there are more than {POINTS} points")
    right = server_states.ACTIVE if action.startswith("unshelve") else server_states.SHELVED_OFFLOADED
    if what == "reset":
        assert ends and ends <= {right, server_states.ACTIVE}
    else:
        assert ends == ({None} if what == "deleted" else {right})


@pytest.mark.parametrize("action", ACTIONS)
def test_a_host_that_is_gone_for_long_is_not_waited_for(place, action):
    """A server stays as it was, or is shelved without it; what it has is removed when it is back."""
    ends = set()
    for points in sample(HARM[0]):
        with place.world() as world:
            uuid = begun(world, action)
            more = go(world, points)
            host = world.row(uuid)["host"]
            if host:
                world.crash(host)
                world.fall_silent(host)
            for _ in range(30):
                if not go(world, 20):
                    break
            world.settle()
            checks.at_rest(world)
            ends.add(world.row(uuid)["vm_state"])
        if not more:
            break
    stays = {"shelve paused": server_states.STOPPED, "unshelve": server_states.SHELVED_OFFLOADED,
             "unshelve with a boot volume": server_states.SHELVED_OFFLOADED}.get(action, server_states.ACTIVE)
    ended = server_states.ACTIVE if action.startswith("unshelve") else server_states.SHELVED_OFFLOADED
    assert ends <= {stays, ended} and ended in ends


def test_one_reservation_is_made_however_long_the_host_of_the_volumes_is_away(place):
    with place.world() as world:
        uuid = begun(world, "shelve")
        world.services.volume_host_away = True
        for _ in range(5):
            world.run_all()
            world.pass_of_operations()
        world.run_all()
        assert sorted(a["status"] for a in world.services.attachments.values()) == ["attached", "reserved"]
        world.services.volume_host_away = False
        world.settle()
        checks.at_rest(world)
        assert world.row(uuid)["vm_state"] == server_states.SHELVED_OFFLOADED


def leave(world, uuid: str) -> None:
    """Shelve a server whose host knows of nothing else that was requested of it."""
    world.mail.clear()
    world.wake(api.shelve(world, uuid))
    for _ in range(10):
        world.run_all()
        world.pass_of_operations()
    assert world.row(uuid)["vm_state"] == server_states.SHELVED_OFFLOADED


def test_a_volume_that_was_to_be_detached_is_free_when_its_server_leaves_its_host(place):
    with place.world() as world:
        uuid = active(world, volume=True)
        (device,) = world.row(uuid)["block_devices"]
        api.detach_volume(world, uuid)
        leave(world, uuid)
        world.settle()
        checks.at_rest(world)
        assert not world.row(uuid)["block_devices"] and world.services.volumes[device["volume_id"]]["status"] == "available"


@pytest.mark.parametrize("status", ["available", "error", None])
def test_a_volume_that_was_to_be_attached_is_reserved_if_it_can_be_when_its_server_leaves_its_host(place, status):
    """None: it was deleted."""
    with place.world() as world:
        uuid = active(world)
        api.attach_volume(world, uuid)
        (device,) = world.row(uuid)["block_devices"]
        volume = world.services.volumes[device["volume_id"]]
        volume["status"] = status
        if status is None:
            del world.services.volumes[device["volume_id"]]
        leave(world, uuid)
        attached = [d["attachment_id"] for d in world.row(uuid)["block_devices"]]
        assert attached == ([] if status != "available" else list(world.services.attachments))
        volume["status"] = "available" if status == "error" else volume["status"]
        world.settle()
        checks.at_rest(world)


@pytest.mark.parametrize("own_port", [False, True])
def test_a_port_that_was_given_back_is_not_the_servers_when_that_is_shelved(place, own_port):
    """Its host was killed before it could say so, and has lost its journal."""
    with place.world() as world:
        uuid = active(world, own_port=own_port)
        port = next(p["id"] for p in world.services.ports.values() if (p.get("name") == "own") == own_port)
        api.detach_interface(world, uuid, port)
        world.go_to(world.deliver(), "PUT ports done" if own_port else "DELETE ports done")
        world.crash(ONE)
        for path in (world.path / ONE / "tasks" / "compute").glob("*.json"):
            path.unlink()
        world.boot_host(ONE)
        leave(world, uuid)
        world.settle()
        checks.at_rest(world)
        row = world.row(uuid)
        assert port not in [p["id"] for p in row["network_info"]] + [n.get("port") for n in row["requested_networks"]]


def test_the_request_whose_volume_could_not_be_reserved_has_failed(place):
    with place.world() as world:
        uuid = active(world)
        with world.db.writer() as connection:
            actions.start(connection, context.Context(request_id="r"), uuid, "attach_volume")
        api.attach_volume(world, uuid)
        (device,) = world.row(uuid)["block_devices"]
        world.services.volumes[device["volume_id"]]["status"] = "error"
        leave(world, uuid)
        with world.db.reader() as connection:
            assert actions.find(connection, uuid, "r")["message"] == \
                f"Volume {device['volume_id']} could not be attached: it is error"
