"""Servers whose root volume gets another image, interrupted at every point in every way."""

import pytest

from common import errors, server_states
from tests.histories import api, checks
from tests.histories.test_crashes import active
from tests.histories.test_migrations import HARM, POINTS, go, harm_and_settle, sample
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


def go_to_step(world, step: str) -> None:
    """Until the operation is at a step that it has not begun."""
    for _ in range(POINTS):
        if world.operations_left()[0]["step"] == step:
            return
        go(world, 1)
    raise AssertionError(f"it does not come to {step}")


def try_for_long(world) -> None:
    """A step that waits for a service is done again and again, for longer than one that is undone then."""
    for _ in range(5):
        world.run_all()
        world.pass_of_operations()
    world.run_all()
    world.age_operations()
    world.pass_of_operations()
    world.run_all()


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("what", HARM)
def test_it_ends_well_whatever_happens_at_any_point(place, what, stopped):
    ends = set()
    for points in sample(what):
        with place.world() as world:
            uuid = begun(world, stopped=stopped)
            more = go(world, points)
            row = harm_and_settle(world, what, uuid)
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


def test_a_server_whose_host_dies_while_its_volume_gets_an_image_is_evacuated_afterwards(place):
    with place.world() as world:
        world.services.images_slow = True
        uuid = begun(world)
        go_to_step(world, "reimage")
        world.crash(HOSTS[0])
        world.fall_silent(HOSTS[0])
        with pytest.raises(errors.Conflict, match="is being rebuilt"):
            api.evacuate(world, uuid)
        world.services.images_slow = False
        for _ in range(5):
            world.pass_of_operations()
            world.run_all()
        assert world.row(uuid)["vm_state"] == server_states.ERROR  # there is nobody to start it
        world.wake(api.evacuate(world, uuid))
        world.settle()
        checks.at_rest(world)
        assert (world.row(uuid)["vm_state"], world.row(uuid)["host"]) == (server_states.ACTIVE, HOSTS[1])
        assert root(world, uuid)["images"] == 1


def test_a_large_image_is_waited_for_however_long_it_takes(place):
    with place.world() as world:
        world.services.images_slow = True
        uuid = begun(world)
        try_for_long(world)
        world.services.images_slow = False
        world.settle()
        checks.at_rest(world)
        row = world.row(uuid)
        assert (row["vm_state"], row["fault"], root(world, uuid)["images"]) == (server_states.ACTIVE, None, 1)


def test_nothing_is_left_of_a_rebuild_for_which_the_host_of_the_volume_was_away(place):
    """It is given up, the guest runs as before, and the next rebuild finds one attachment."""
    with place.world() as world:
        uuid = begun(world)
        world.services.volume_host_away = True
        try_for_long(world)
        world.services.volume_host_away = False
        world.settle()
        checks.at_rest(world)
        assert world.row(uuid)["vm_state"] == server_states.ACTIVE and "images" not in root(world, uuid)
        world.wake(api.rebuild_volume(world, uuid))
        world.settle()
        checks.at_rest(world)
        assert world.row(uuid)["vm_state"] == server_states.ACTIVE and root(world, uuid)["images"] == 1


def test_a_guest_whose_former_attachment_has_ended_starts_with_the_reservation(place):
    """The conductor is killed before it can record that, and the volume service is away for long."""
    with place.world() as world:
        uuid = begun(world)
        go_to_step(world, "reserve")
        drive = next(a for a in world.actors if a.name.startswith("drive "))
        world.go_to(drive, "DELETE attachments done")
        world.crash_conductor()
        world.age_operations()
        world.outages.append("before")
        world.pass_of_operations()
        world.run_all()
        world.settle()
        checks.at_rest(world)
        row = world.row(uuid)
        assert row["vm_state"] == server_states.ACTIVE and "does not respond" in row["fault"]["message"]
        assert root(world, uuid)["status"] == "in-use" and "images" not in root(world, uuid)


def test_a_conductor_that_is_late_leaves_the_reservation_that_another_goes_on_with(place):
    with place.world() as world:
        uuid = begun(world)
        go_to_step(world, "reserve")
        late = next(a for a in world.actors if a.name.startswith("drive "))
        world.go_to(late, "POST attachments done")
        late.name = "late"  # its lease has run out
        world.pass_of_operations()
        other = next(a for a in world.actors if a.name.startswith("drive "))
        world.go_to(other, "POST volumes")
        world.finish(late)
        world.settle()
        checks.at_rest(world)
        row = world.row(uuid)
        assert (row["vm_state"], row["fault"], root(world, uuid)["images"]) == (server_states.ACTIVE, None, 1)


def test_a_guest_keeps_its_attachment_if_the_volume_cannot_be_reserved(place):
    with place.world() as world:
        uuid = begun(world)
        go_to_step(world, "reserve")
        volume, before = root(world, uuid), world.row(uuid)["block_devices"]
        volume["status"] = "maintenance"
        world.run_all()
        volume["status"] = "in-use"
        world.settle()
        checks.at_rest(world)
        row = world.row(uuid)
        assert row["vm_state"] == server_states.ACTIVE and "it is maintenance" in row["fault"]["message"]
        assert row["block_devices"] == before


@pytest.mark.parametrize("step", ["reserve", "request", "reimage", "start"])
def test_a_server_whose_volume_was_deleted_meanwhile_ends_in_error(place, step):
    with place.world() as world:
        world.services.images_slow = step == "reimage"
        uuid = begun(world)
        go_to_step(world, step)
        volume_id = root(world, uuid)["id"]
        del world.services.volumes[volume_id]
        attachments = world.services.attachments
        for each in [i for i, a in attachments.items() if a["volume_id"] == volume_id]:
            del attachments[each]
        world.settle()
        assert not world.operations_left()
        row = world.row(uuid)
        assert row["vm_state"] == server_states.ERROR and row["fault"] and world.guests(HOSTS[0]).get(uuid) is None
        api.delete(world, uuid)
        world.settle()
        checks.at_rest(world)
        assert world.row(uuid) is None


def test_a_guest_is_shut_down_before_it_loses_its_volumes(place, monkeypatch):
    with place.world() as world:
        uuid = begun(world)
        driver, powers = world.agents[HOSTS[0]].driver._target, []
        destroy = driver.destroy
        monkeypatch.setattr(driver, "destroy", lambda uuid: (powers.append(driver.power_states()[uuid]), destroy(uuid)))
        go_to_step(world, "reserve")
        assert powers == [server_states.SHUTDOWN] and uuid not in world.guests(HOSTS[0])
