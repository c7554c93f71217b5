"""Evacuations of a server with a volume and a port of its owner's from a host that is cut off, or dead, and returns at any point;
and everything else that can happen meanwhile.
"""

import pytest
import sqlalchemy as sa

from common import context, errors, server_states
from conductor.db import evacuations, models, resizes, server_migrations
from tests.histories import api, checks
from tests.histories.test_crashes import active, build, own_port_of
from tests.histories.test_migrations import POINTS, STRIDE, go, harm, moving, start
from tests.histories.world import HOSTS, World

ONE, TWO = HOSTS
HARM = ("crash of one", "crash of two", "conductor killed", "all doubled", "all lost", "services away", "deleted", "reset",
        "one returns")


def lose(world: World, how: str) -> None:
    """The first host is not heard of any more. Cut off, its guests run on; dead, it has neither guests nor an agent."""
    if how == "dead":
        world.cut_power(ONE)
    elif how == "agent killed":
        world.crash(ONE)
    world.fall_silent(ONE)


def evacuating(world: World, how: str) -> tuple[str, str]:
    """A server that is being evacuated, and one that stays on the host."""
    uuid, other = active(world, own_port=True, volume=True), active(world)
    lose(world, how)
    world.wake(api.evacuate(world, uuid))
    return uuid, other


def under_way(world: World) -> bool:
    return any(o["kind"] == evacuations.EVACUATE for o in world.operations_left())


def end(world: World) -> None:
    """Let the evacuation end. The operation that waits for the former host does not."""
    for _ in range(30):
        if not under_way(world):
            return
        go(world, 20)
    raise AssertionError(f"it does not end: {world.operations_left()}")


def written_to_by_the_former_guest(world: World) -> list[dict]:
    return [a for a in world.services.attachments.values() if a["host"] == ONE]


def status(world: World, uuid: str) -> str:
    with world.db.reader() as connection:
        (found,) = server_migrations.page(connection, {"instance_uuid": uuid}, [], limit=9, marker=None, scope={})
    assert found["type"] == "evacuation" and found["source_host"] == ONE
    return found["status"]


@pytest.mark.parametrize("how", ["cut off", "agent killed", "dead"])
def test_a_server_runs_elsewhere_and_its_host_removes_it_when_it_returns_and_nothing_else(place, how):
    with place.world() as world:
        uuid, other = evacuating(world, how)
        end(world)
        row = world.row(uuid)
        assert (row["vm_state"], row["task_state"], row["host"]) == (server_states.ACTIVE, None, TWO)
        checks.whole(world, row)
        assert not written_to_by_the_former_guest(world)
        assert status(world, uuid) == server_migrations.DONE
        assert (uuid in world.guests(ONE)) == (how != "dead"), "nobody could tell the host"
        world.settle()
        checks.at_rest(world)
        assert uuid not in world.guests(ONE) and uuid not in world.agents[ONE].driver.directories()
        assert other in world.guests(ONE) and world.row(other)["host"] == ONE
        assert status(world, uuid) == server_migrations.COMPLETED


@pytest.mark.parametrize(("what", "how"), [*((what, "cut off") for what in HARM), ("conductor killed", "dead"),
                                           ("one returns", "dead")])
def test_it_ends_well_whatever_happens_at_any_point(place, what, how):
    ends = set()
    for points in range(0, POINTS, STRIDE):
        with place.world() as world:
            uuid, other = evacuating(world, how)
            go(world, points)
            more = under_way(world)
            if what == "one returns":
                world.boot_host(ONE)
                world.speak(ONE)
            else:
                harm(world, what, uuid)
            if what != "reset":
                checks.always(world)
            elif (row := world.row(uuid))["host"] == TWO and row["task_state"] is None:  # it can be started
                assert not written_to_by_the_former_guest(world)
            world.settle()
            for each in (uuid, other):
                if row := world.row(each):
                    if each not in world.guests(row["host"]):  # as its host finds when it compares
                        world.conductor.report_power(context.service_context(), row["host"], {each: server_states.NOSTATE})
                    start(world, each)
            checks.at_rest(world)
            row = world.row(uuid)
            ends.add(row and (row["vm_state"], row["host"]))
            assert world.row(other)["host"] == ONE
            if what not in ("deleted", "reset"):
                assert status(world, uuid) == server_migrations.COMPLETED
        if not more:
            break
    else:
        raise AssertionError(f"there are more than {POINTS} points")
    if what == "reset":
        assert ends <= {(server_states.ACTIVE, ONE), (server_states.ACTIVE, TWO)}
    else:
        assert ends == ({None} if what == "deleted" else {(server_states.ACTIVE, TWO)})


def test_a_target_that_is_gone_for_long_is_not_waited_for(place):
    """Before the server has moved it stays where it was; afterwards it is in ERROR on the target, and can be evacuated again."""
    ends = set()
    for points in range(0, POINTS, STRIDE):
        with place.world() as world:
            world.troubled = True
            uuid, _ = evacuating(world, "cut off")
            go(world, points)
            more = under_way(world)
            world.crash(TWO)
            world.fall_silent(TWO)
            end(world)
            row = world.row(uuid)
            if row["host"] == TWO and row["task_state"] is None and row["vm_state"] == server_states.ERROR:
                world.boot_host(ONE)
                world.speak(ONE)
                world.wake(api.evacuate(world, uuid))
            world.settle()
            checks.at_rest(world)
            ends.add((world.row(uuid)["vm_state"], world.row(uuid)["host"]))
        if not more:
            break
    assert ends == {(server_states.ACTIVE, ONE), (server_states.ACTIVE, TWO)}


def test_a_guest_that_cannot_be_started_leaves_its_server_in_error_on_the_target(world, monkeypatch):
    def refuse(*args, **kwargs):
        raise errors.StepFailed(reason="no memory is left")
    monkeypatch.setattr(world.agents[TWO].driver._target, "spawn", refuse)
    uuid, _ = evacuating(world, "cut off")
    world.settle()
    row = world.row(uuid)
    assert (row["vm_state"], row["host"], row["fault"]["message"]) == (server_states.ERROR, TWO, "no memory is left")
    assert status(world, uuid) == server_migrations.FAILED and uuid not in world.guests(ONE)
    monkeypatch.undo()
    world.fall_silent(TWO)
    world.wake(api.evacuate(world, uuid))
    world.settle()
    checks.at_rest(world)
    assert (world.row(uuid)["vm_state"], world.row(uuid)["host"]) == (server_states.ACTIVE, ONE)


def test_a_disk_that_cannot_be_made_leaves_the_server_where_it_was(world, monkeypatch):
    def refuse(*args, **kwargs):
        raise errors.StepFailed(reason="no space")
    monkeypatch.setattr(world.agents[TWO].driver._target, "prepare_disk", refuse)
    uuid, _ = evacuating(world, "cut off")
    world.settle()
    checks.at_rest(world)
    assert (world.row(uuid)["vm_state"], world.row(uuid)["host"]) == (server_states.ACTIVE, ONE)
    assert status(world, uuid) == server_migrations.FAILED


def test_only_servers_of_hosts_that_are_down_are_evacuated(world):
    uuid = active(world)
    with pytest.raises(errors.BadRequest, match=f"Compute service of {ONE} is still in use."):
        api.evacuate(world, uuid)
    world.fall_silent(ONE)
    world.agents[ONE].fence.pass_through()
    with pytest.raises(errors.BadRequest):
        api.evacuate(world, uuid)


def test_what_was_in_progress_on_a_dead_host_does_not_keep_its_server_there(world):
    uuid = active(world)
    api.power(world, uuid, "stop")
    lose(world, "agent killed")
    world.wake(api.evacuate(world, uuid))
    with pytest.raises(errors.InvalidState):
        api.evacuate(world, uuid)
    world.settle()
    checks.at_rest(world)
    assert (world.row(uuid)["vm_state"], world.row(uuid)["host"]) == (server_states.ACTIVE, TWO)


@pytest.mark.parametrize("work", [api.attach_volume, api.extend_volume])
def test_a_volume_comes_along_that_is_being_attached_or_extended(world, work):
    """The host died when it had done that, and before it could say so to the volume service, which does not wait for ever."""
    uuid = active(world, volume=True)
    work(world, uuid)
    world.go_to(world.deliver(), "attached done" if work == api.attach_volume else "pause done")
    lose(world, "dead")
    world.wake(api.evacuate(world, uuid))
    for _ in range(3):
        go(world, 20)
    for volume in world.services.volumes.values():
        volume["status"] = "in-use" if volume["status"] == "extending" else volume["status"]
    end(world)
    row = world.row(uuid)
    assert (row["vm_state"], row["host"], len(row["block_devices"])) == (
        server_states.ACTIVE, TWO, 2 if work == api.attach_volume else 1)
    world.settle()
    checks.at_rest(world)


def cut_off_at(world: World, work: str, at: str, **how) -> tuple[str, object]:
    """A server that is being evacuated, and its former host's work on it, which stands still, as the host is only cut off."""
    uuid = active(world, own_port=True, volume=True)
    if work == "detach_interface":
        how = {"port_id": own_port_of(world)}
    getattr(api, work)(world, uuid, **how)
    late = world.go_to(world.deliver(), at)
    lose(world, "cut off")
    world.wake(api.evacuate(world, uuid))
    return uuid, late


def go_without(world: World, late, until) -> None:
    for _ in range(500):
        others = [a for a in world.actors if a is not late and not a.blocked]
        if until():
            return
        if others:
            world.step(others[0])
        elif world.mail and world.mail[0][0] in (TWO, "scheduler"):
            world.deliver()
        else:
            world.pass_of_operations()
    raise AssertionError("it does not come to that")


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize(("work", "at"), [("attach_volume", "attached"), ("attach_interface", "interface_attached"),
                                          ("detach_interface", "PUT ports"), ("detach_volume", "detached")])
def test_a_host_that_is_late_attaches_and_detaches_nothing_of_a_server_that_has_left(world, work, at, moved):
    """``moved``: the server is on the other host; else that host only has got ready what the server had. Volumes are attached
    and detached there in the end; nobody repeats what was asked of an interface."""
    uuid, late = cut_off_at(world, work, at, **({"own_port": False} if work == "attach_interface" else {}))
    go_without(world, late, lambda: world.row(uuid)["host"] == TWO if moved else any(
        a.at == "end_operation_step" for a in world.actors))
    world.finish(late)
    go_without(world, late, lambda: world.row(uuid)["host"] == TWO)
    world.finish(world.pass_of_sweep())
    go_without(world, late, lambda: not under_way(world))
    world.settle()
    checks.at_rest(world)
    row = world.row(uuid)
    assert (row["vm_state"], row["host"]) == (server_states.ACTIVE, TWO)
    assert len(row["block_devices"]) == {"attach_volume": 2, "detach_volume": 0}.get(work, 1)
    assert len(row["network_info"]) == 2


@pytest.mark.parametrize("own_port", [False, True])
def test_a_port_that_was_being_attached_is_given_back_if_the_host_is_deleted(world, own_port):
    """It will never do so itself."""
    uuid = active(world)
    before = [p["id"] for p in world.services.ports.values()]
    api.attach_interface(world, uuid, own_port=own_port)
    world.go_to(world.deliver(), "PUT ports done" if own_port else "POST ports done")
    lose(world, "dead")
    world.wake(api.evacuate(world, uuid))
    end(world)
    with world.db.writer() as connection:
        for table in (models.services, models.compute_nodes):
            connection.execute(sa.delete(table).where(table.c.host == ONE))
    for _ in range(5):
        go(world, 20)
    assert [p["id"] for p in world.services.ports.values() if p["device_id"]] == before and not world.operations_left()
    assert [p["device_id"] for p in world.services.ports.values() if p["id"] not in before] == ([""] if own_port else [])


@pytest.mark.parametrize("at", ["", "pause", "pause done"])
def test_an_image_that_the_host_was_to_fill_is_deleted(world, at):
    """Also if the host never knew of it. Not that of another server, or of another request."""
    uuid, other = active(world), active(world)
    api.snapshot(world, uuid)
    message, (filled,) = world.mail.pop(), world.services.images
    api.snapshot(world, other)
    kept = set(world.services.images) - {filled}
    world.mail.clear()
    if at:
        world.mail.append(message)
        world.go_to(world.deliver(), at)
    lose(world, "dead")
    world.wake(api.evacuate(world, uuid))
    end(world)
    assert (world.row(uuid)["vm_state"], world.row(uuid)["host"]) == (server_states.ACTIVE, TWO)
    api.snapshot(world, uuid)
    later = set(world.services.images) - kept
    go(world, 100)
    assert set(world.services.images) == kept | later - {filled}
    world.settle()
    assert world.services.images[(later - {filled}).pop()]["status"] == "active"


@pytest.mark.parametrize("port", ["the server's", "its owner's", "another server's by now"])
def test_a_port_that_was_being_detached_does_not_come_along(world, port):
    """The host died when it had given the port back, and before it could say so."""
    uuid, other = active(world, own_port=port != "the server's"), api.create(world)
    world.finish(build(world, other, TWO))
    detached = next(p["id"] for p in world.services.ports.values() if p["device_id"] == uuid and (
        port == "the server's" or p.get("name") == "own"))
    api.detach_interface(world, uuid, detached)
    world.go_to(world.deliver(), "DELETE ports done" if port == "the server's" else "PUT ports done")
    lose(world, "dead")
    if port == "another server's by now":
        api.attach_interface(world, other, own_port=True, port_id=detached)
        world.finish(world.deliver())
    world.wake(api.evacuate(world, uuid))
    end(world)
    world.settle()
    checks.at_rest(world)
    row = world.row(uuid)
    assert (row["vm_state"], row["host"]) == (server_states.ACTIVE, TWO)
    assert detached not in [p["id"] for p in row["network_info"]] + [n.get("port") for n in row["requested_networks"]]
    assert (detached in [p["id"] for p in world.row(other)["network_info"]]) == (port == "another server's by now")


def test_a_migration_in_progress_ends_where_the_server_is_evacuated(world):
    uuid = active(world, volume=True)
    world.wake(api.migrate(world, uuid))
    go(world, 6)
    lose(world, "agent killed")
    world.wake(api.evacuate(world, uuid))
    world.settle()
    checks.at_rest(world)
    assert (world.row(uuid)["vm_state"], world.row(uuid)["host"]) == (server_states.ACTIVE, TWO)


def test_a_host_that_was_cut_off_while_it_resized_a_server_takes_nothing_from_the_new_one(place):
    """Its agent goes on with what it had begun, when the server has left it. (One that is being reverted is not evacuated.)"""
    for points in range(0, POINTS, 2):
        with place.world() as world:
            uuid = moving(world, "resize here")
            api.enable(world, TWO)
            if not go(world, points) or world.row(uuid)["task_state"] is None:
                break
            its = [actor for actor in world.actors if actor.host == ONE]
            world.actors = [actor for actor in world.actors if actor.host != ONE]
            lose(world, "cut off")
            world.wake(api.evacuate(world, uuid))
            end(world)
            row = world.row(uuid)
            assert (row["vm_state"], row["host"]) == (server_states.ACTIVE, TWO)
            for actor in its:
                world.actors.append(actor)
                world.finish(actor)
            checks.whole(world, row)
            assert not written_to_by_the_former_guest(world), world.services.attachments
            world.settle()
            checks.at_rest(world)
            assert (world.row(uuid)["vm_state"], world.row(uuid)["host"]) == (server_states.ACTIVE, TWO)
    else:
        raise AssertionError(f"there are more than {POINTS} points")


def test_disks_that_a_resize_has_kept_are_removed_if_the_server_cannot_be_evacuated(world):
    uuid = moving(world, "resize here")  # no other host takes servers
    while not any((world.path / ONE / "instances" / uuid).glob("*/")):
        assert go(world, 1)
    lose(world, "agent killed")
    world.given_up.add(uuid)  # its guest is off, for the resize
    evacuation = api.evacuate(world, uuid)
    (removal,) = [o["id"] for o in world.operations_left() if o["kind"] == resizes.REMOVE_KEPT]
    world.operations.run(removal)
    world.wake(evacuation)
    end(world)
    world.settle()
    checks.at_rest(world)
    assert world.row(uuid)["host"] == ONE


def test_a_host_removes_what_left_it_before_it_starts_or_reports_anything(world):
    """Its agent starts after a power cut: it learns of the evacuation first, and only then resumes its own guests."""
    uuid, other = evacuating(world, "agent killed")
    end(world)
    world.cut_power(ONE)  # and its disks are there still
    assert uuid in {p.name for p in (world.path / ONE / "instances").iterdir()}
    told: list[str] = []
    conductor = world.conductor.host_returns

    def host_returns(ctx, host, removed):
        told.append(f"returns {len(removed)}")
        return conductor(ctx, host, removed)
    world.conductor.host_returns = host_returns
    world.conductor.states_of = lambda ctx, host: told.append("guests") or type(world.conductor).states_of(
        world.conductor, ctx, host)
    world.boot_host(ONE)
    world.run_all()
    assert told[:3] == ["returns 0", "returns 1", "guests"]
    assert uuid not in {p.name for p in (world.path / ONE / "instances").iterdir()}
    world.settle()
    assert other in world.guests(ONE)


def test_a_host_that_is_forced_down_starts_no_guests(world):
    uuid = active(world)
    world.cut_power(ONE)

    def force(value: bool):
        with world.db.writer() as connection:
            connection.execute(sa.update(models.services).where(models.services.c.host == ONE).values(forced_down=value))
    force(True)
    world.boot_host(ONE)
    resume = next(a for a in world.actors if a.name == "resume guests")
    for _ in range(20):
        world.step(resume)
    assert not world.guests(ONE) and uuid in world.agents[ONE].resuming
    force(False)
    world.finish(resume)
    assert world.guests(ONE) == {uuid: server_states.RUNNING}


def test_a_server_comes_back_to_a_host_that_still_has_its_former_guest(world):
    """Evacuated to the second host, and from there to the first, before the first was told to remove anything."""
    uuid, _ = evacuating(world, "agent killed")
    end(world)
    assert world.row(uuid)["host"] == TWO
    world.fall_silent(TWO)
    world.speak(ONE)  # it is up, but its agent has not come to it
    world.wake(api.evacuate(world, uuid))
    world.settle()
    checks.at_rest(world)
    assert (world.row(uuid)["vm_state"], world.row(uuid)["host"]) == (server_states.ACTIVE, ONE)


@pytest.mark.parametrize("at", ["GET ports", "PUT ports", "spawn"])
def test_a_start_in_progress_on_the_former_host_takes_nothing_from_the_new_one(world, at):
    """The host was cut off in the middle of it and goes on when the server runs elsewhere."""
    uuid = active(world, own_port=True, volume=True)
    api.power(world, uuid, "stop")
    world.run_all()
    world.agents[ONE].driver.destroy(uuid)
    api.power(world, uuid, "start")
    late = world.go_to(world.deliver(), at)
    lose(world, "cut off")
    world.wake(api.evacuate(world, uuid))
    for _ in range(2000):
        others = [a for a in world.actors if a is not late and not a.blocked]
        if others:
            world.step(others[0])
        elif world.mail and world.mail[0][0] == TWO:
            world.deliver()
        elif [o["step"] for o in world.operations_left()] == ["remove"]:  # what is left waits for the former host
            break
        else:
            world.pass_of_operations()
    assert world.row(uuid)["host"] == TWO and not under_way(world)
    world.finish(late)
    world.settle()
    checks.at_rest(world)
    assert world.row(uuid)["vm_state"] == server_states.STOPPED and uuid not in world.guests(ONE)
