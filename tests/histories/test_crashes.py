"""Histories in which recovery once destroyed servers that were well, and others of that kind."""

import pytest
import sqlalchemy as sa

from common import context, errors, server_states
from conductor.db import machine, models
from scheduler.rpcapi import request_spec
from tests.histories import api, checks
from tests.histories.world import World

ONE, TWO = "node1", "node2"


def build(world: World, uuid: str, host: str = ONE):
    """Begin to build a new server on a host: the work, at its beginning."""
    other = TWO if host == ONE else ONE
    world.fall_silent(other)
    world.deliver(next(i for i, m in enumerate(world.mail) if m[0] == "scheduler"))
    world.speak(other)
    return world.deliver(next(i for i, m in enumerate(world.mail) if m[0] == host and m[2][0] == uuid))


def active(world: World, **how) -> str:
    uuid = api.create(world, **how)
    world.finish(build(world, uuid))
    assert world.row(uuid)["vm_state"] == server_states.ACTIVE
    return uuid


def give_up(world: World, uuid: str):
    """The first host is not heard of for long, and the second is told to build: its work."""
    world.troubled = True
    world.fall_silent(ONE)
    world.finish(world.pass_of_sweep())
    world.mail[:] = [m for m in world.mail if m[0] == "scheduler"]
    world.deliver()
    assert world.row(uuid)["host"] == TWO
    return world.deliver()


def well(world: World, uuid: str, host: str) -> None:
    row = world.row(uuid)
    assert (row["vm_state"], row["task_state"], row["host"]) == (server_states.ACTIVE, None, host)
    checks.whole(world, row)


def ends_well(world: World, uuid: str, host: str) -> None:
    world.run_all()
    well(world, uuid, host)
    world.settle()
    well(world, uuid, host)
    checks.at_rest(world)


def refuse_guests(world: World, monkeypatch) -> None:
    """The first host's hypervisor starts none."""
    def refuse(*args):
        raise errors.StepFailed(reason="no")
    monkeypatch.setattr(world.agents[ONE].driver._target, "spawn", refuse)


def recovery_of(world: World, uuid: str):
    return next(a for a in world.actors if a.name == f"recover build-{uuid}")


def test_a_leftover_that_was_settled_since_the_agents_start_is_left_alone(world):
    """The agent takes up two builds; while one takes its time, the other is asked for again and ends well."""
    slow, quick = api.create(world), api.create(world)
    for uuid in (slow, quick):
        world.go_to(build(world, uuid), "spawn done")
    world.crash(ONE)
    world.boot_host(ONE)
    world.step(recovery_of(world, slow))
    late = recovery_of(world, quick)
    world.finish(world.pass_of_sweep())
    world.finish(world.deliver(next(i for i, m in enumerate(world.mail) if m[2][0] == quick)))
    well(world, quick, ONE)
    world.finish(late)
    ends_well(world, quick, ONE)
    well(world, slow, ONE)


def test_an_undo_that_failed_touches_nothing_of_the_host_that_builds_now(world, monkeypatch):
    uuid = api.create(world, own_port=True, volume=True)
    first = build(world, uuid)
    refuse_guests(world, monkeypatch)
    world.go_to(first, "GET attachments")
    world.outages.append("before")  # the undo fails
    world.finish(first)
    assert world.agents[ONE].tasks.leftover("build", uuid)
    world.finish(give_up(world, uuid))
    well(world, uuid, TWO)
    world.recover(ONE)
    ends_well(world, uuid, TWO)


def test_a_build_whose_end_could_not_be_told_is_not_undone(world):
    uuid = api.create(world)
    first = world.go_to(build(world, uuid), "finish")
    world.outages.append("before")
    world.finish(first)
    assert world.row(uuid)["vm_state"] == server_states.BUILDING
    world.recover(ONE)  # its turn comes when all is over
    late = recovery_of(world, uuid)
    world.finish(world.pass_of_sweep())
    world.finish(world.deliver())
    well(world, uuid, ONE)
    world.finish(late)
    ends_well(world, uuid, ONE)


@pytest.mark.parametrize(("task_state", "claim"), [("migrating", TWO), (None, TWO), (None, ONE)])
def test_a_guest_on_its_way_to_another_host_is_no_orphan(world, task_state, claim):
    """Nor one whose host it holds a part of still."""
    uuid = active(world)
    with world.db.writer() as connection:
        connection.execute(sa.update(models.instances).values(host=TWO, task_state=task_state))
        connection.execute(sa.update(models.allocations).values(host=claim))
    world.finish(world.run(world.agents[ONE].orphans.run_once, host=ONE))
    assert (uuid in world.guests(ONE)) == (task_state is not None or claim == ONE)


# A host that was silent for so long that another builds the server, and goes on.

@pytest.mark.parametrize("left_at", ["PUT ports", "POST ports", "POST ports done", "POST attachments", "POST attachments done",
                                     "attached", "progress", "spawn", "finish"])
@pytest.mark.parametrize("met_at", ["PUT ports", "POST attachments", "spawn", "finish", "the end"])
def test_a_host_that_is_late_changes_nothing(world, left_at, met_at):
    uuid = api.create(world, own_port=True, volume=True)
    late = world.go_to(build(world, uuid), left_at)
    second = give_up(world, uuid)
    if met_at == "the end":
        world.finish(second)
    else:
        world.go_to(second, met_at)
    world.finish(late)
    ends_well(world, uuid, TWO)


@pytest.mark.parametrize("left_at", ["DELETE ports", "GET ports done", "DELETE attachments", "GET attachments done"])
def test_an_undo_that_is_late_takes_nothing_back_of_the_host_that_builds_now(world, left_at, monkeypatch):
    uuid = api.create(world, own_port=True, volume=True)
    late = build(world, uuid)
    refuse_guests(world, monkeypatch)
    world.go_to(world.go_to(late, "destroy"), left_at)
    world.finish(give_up(world, uuid))
    world.finish(late)
    ends_well(world, uuid, TWO)


def test_a_scheduler_that_is_late_to_find_no_host_breaks_no_build(world):
    uuid = api.create(world)
    late = request_spec(world.row(uuid))
    build(world, uuid)
    world.scheduler.service.placement.refuse(context.service_context(), late, errors.NoValidHost(reason="none is left"))
    ends_well(world, uuid, ONE)


def test_a_report_of_an_earlier_attempt_ends_no_later_one(world):
    uuid = active(world)
    api.power(world, uuid, "stop")
    first = world.go_to(world.deliver(keep=True), "finish")
    world.crash(ONE)
    del first
    earlier = world.row(uuid)["attempt"]
    world.boot_host(ONE)
    world.finish(world.deliver())
    for action in ("start", "stop"):
        api.power(world, uuid, action)
        if action == "start":
            world.finish(world.deliver())
    assert world.conductor.finish(context.service_context(), uuid, "stop", [], {}, attempt=earlier) is False
    assert world.row(uuid)["task_state"] is not None, "the guest has not been stopped yet"
    world.settle()
    assert world.row(uuid)["vm_state"] == server_states.STOPPED
    checks.at_rest(world)


def test_every_operation_but_the_parts_of_a_build_is_a_new_attempt(world):
    uuid = active(world)
    assert world.row(uuid)["attempt"] == 1
    with world.db.writer() as connection:
        for n, action in enumerate(("stop", "delete"), 2):
            machine.begin(connection, uuid, action)
            assert connection.execute(sa.select(models.instances.c.attempt)).scalar() == n


# Agents that are killed.

@pytest.mark.parametrize("at", ["begin_build done", "POST ports done", "POST attachments done", "prepare_disk", "spawn",
                                "spawn done", "finish", "finish done"])
def test_a_build_goes_on_where_its_agent_was_killed(world, at):
    uuid = api.create(world, own_port=True, volume=True)
    world.go_to(build(world, uuid), at)
    world.crash(ONE)
    world.settle()
    ends_well(world, uuid, ONE)
    assert world.row(uuid)["tried_hosts"] == []


@pytest.mark.parametrize("own_port", [False, True])
@pytest.mark.parametrize(("fail", "host", "tried"), [(1, ONE, []), (2, ONE, []), (3, TWO, [ONE])])
def test_a_host_is_given_up_only_when_a_port_cannot_be_plugged_again_and_again(world, own_port, fail, host, tried):
    """Its network agent may have been restarted in that moment."""
    uuid = api.create(world, own_port=own_port)
    world.services.plugs_that_fail = fail * (1 + own_port)  # of each port
    world.finish(build(world, uuid))
    ends_well(world, uuid, host)
    assert world.row(uuid)["tried_hosts"] == tried


def break_journal(world: World, task: str) -> None:
    """As a power cut may leave it, with the agent down."""
    path = next((world.path / ONE / "tasks" / "compute").glob(f"{task}-*.json"))
    path.write_bytes(path.read_bytes()[:30])


@pytest.mark.parametrize("at", ["POST ports done", "POST attachments done", "spawn done"])
def test_a_build_whose_journal_is_broken_is_made_once(world, at):
    uuid = api.create(world, own_port=True, volume=True)
    world.go_to(build(world, uuid), at)
    world.crash(ONE)
    break_journal(world, "build")
    world.settle()
    ends_well(world, uuid, ONE)


@pytest.mark.parametrize("at", ["POST ports done", "PUT ports done", "POST attachments done", "spawn done"])
def test_a_host_whose_journal_is_broken_gives_back_what_another_builds_by_now(world, at):
    uuid = api.create(world, own_port=True, volume=True)
    world.go_to(build(world, uuid), at)
    world.crash(ONE)
    break_journal(world, "build")
    world.finish(give_up(world, uuid))
    ends_well(world, uuid, TWO)
    assert not world.agents[ONE].tasks.journal.broken()


@pytest.mark.parametrize("at", ["POST ports done", "PUT ports done", "POST attachments done", "attached done", "spawn done"])
def test_a_host_whose_journal_is_broken_keeps_nothing_of_a_server_that_failed(world, at):
    uuid = api.create(world, own_port=True, volume=True)
    world.go_to(build(world, uuid), at)
    world.crash(ONE)
    break_journal(world, "build")
    world.fall_silent(TWO)
    world.fall_silent(ONE)
    world.finish(world.pass_of_sweep())
    world.deliver()
    world.troubled = True
    assert world.row(uuid)["vm_state"] == server_states.ERROR
    world.settle()
    checks.at_rest(world)
    assert not world.services.attachments and not any(p["device_id"] for p in world.services.ports.values())


def handed_back(world: World) -> str:
    """A server with a port of its own and one of its owner's, whose host was given up on and is down."""
    uuid = api.create(world, own_port=True)
    world.go_to(build(world, uuid), "spawn done")
    world.crash(ONE)
    world.troubled = True
    world.fall_silent(ONE)
    world.finish(world.pass_of_sweep())
    assert world.row(uuid)["host"] is None and len(world.services.ports) == 2
    return uuid


def only_the_owners_is_left(world: World) -> None:
    (port,) = world.services.ports.values()
    assert port["name"] == "own" and not port["device_id"]


def test_a_host_whose_journal_is_broken_deletes_the_ports_that_it_made_for_a_server_that_is_gone(world):
    uuid = handed_back(world)
    break_journal(world, "build")
    with world.db.writer() as connection:
        connection.execute(sa.delete(models.instances))  # as by the release before, which asked nobody for ports
    world.boot_host(ONE)
    world.run_all()
    assert not world.agents[ONE].tasks.journal.broken() and uuid not in world.guests(ONE)
    only_the_owners_is_left(world)


def test_a_server_that_was_handed_back_is_deleted_with_what_its_host_left(world):
    """The host does not come back."""
    uuid = handed_back(world)
    api.delete(world, uuid)
    world.pass_of_operations()
    world.run_all()
    assert world.row(uuid) is None
    only_the_owners_is_left(world)


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("at", ["PUT ports done", "attach_interface done", "interface_attached"])
def test_a_deletion_leaves_an_owners_port_that_is_not_yet_known_to_be_the_servers(world, at, broken):
    """Its host is killed while it attaches the port, and does not come back before the server is deleted."""
    uuid = active(world)
    api.attach_interface(world, uuid, own_port=True)
    world.go_to(world.deliver(), at)
    world.crash(ONE)
    if broken:
        break_journal(world, "attach_interface")
    world.fall_silent(ONE)
    api.delete(world, uuid)
    world.finish(world.pass_of_sweep())
    assert world.row(uuid) is None
    only_the_owners_is_left(world)
    world.settle()
    checks.at_rest(world)


def test_an_attachment_whose_journal_is_broken_and_server_is_gone_is_ended(world):
    uuid = active(world)
    api.attach_volume(world, uuid)
    world.go_to(world.deliver(), "POST attachments done")
    world.crash(ONE)
    break_journal(world, "attach_volume")
    world.fall_silent(ONE)
    api.delete(world, uuid)
    world.finish(world.pass_of_sweep())
    world.settle()
    checks.at_rest(world)
    assert world.row(uuid) is None


@pytest.mark.parametrize("image_waits", [True, False])
def test_a_guest_does_not_stand_still_for_an_image_whose_journal_is_broken(world, image_waits):
    uuid = active(world)
    api.snapshot(world, uuid)
    world.go_to(world.deliver(), "snapshot done")
    world.crash(ONE)
    break_journal(world, "image_snapshot")
    if not image_waits:
        world.services.images.clear()
    world.boot_host(ONE)
    world.run_all()
    assert world.agents[ONE].tasks.journal.broken(), "the server still waits for its image"
    world.settle()
    world.recover(ONE)
    world.run_all()
    checks.at_rest(world)
    assert not world.agents[ONE].tasks.journal.broken()


@pytest.mark.parametrize(("at", "broken"), [
    (at, broken) for at in ("POST attachments done", "attach_volume done", "attached", "attached done")
    for broken in (False, True)])
def test_an_attachment_is_made_once(world, at, broken):
    uuid = active(world)
    api.attach_volume(world, uuid)
    world.go_to(world.deliver(), at)
    world.crash(ONE)
    if broken:
        break_journal(world, "attach_volume")
    world.settle()
    ends_well(world, uuid, ONE)
    assert len(world.row(uuid)["block_devices"]) == 1


@pytest.mark.parametrize("at", ["POST ports", "POST ports done", "attach_interface", "attach_interface done",
                                "interface_attached", "interface_attached done"])
@pytest.mark.parametrize("own_port", [False, True])
@pytest.mark.parametrize("broken", [False, True])
def test_an_interface_that_nobody_was_told_of_is_taken_back(world, at, own_port, broken):
    """One that was recorded stays, if nothing tells any more that the answer did not come."""
    uuid = active(world)
    api.attach_interface(world, uuid, own_port=own_port)
    world.go_to(world.deliver(), at.replace("POST", "PUT") if own_port else at)
    world.crash(ONE)
    if broken:
        break_journal(world, "attach_interface")
    world.settle()
    ends_well(world, uuid, ONE)
    assert len(world.row(uuid)["network_info"]) == (2 if broken and at == "interface_attached done" else 1)


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("leave", ["evacuate", "shelve"])
def test_an_interface_that_nobody_was_told_of_does_not_stay_when_its_server_leaves(world, leave, broken):
    uuid = active(world)
    api.attach_interface(world, uuid, own_port=True)
    world.go_to(world.deliver(), "PUT ports done")
    world.crash(ONE)
    if broken:
        break_journal(world, "attach_interface")
    if leave == "evacuate":
        world.fall_silent(ONE)
    getattr(api, leave)(world, uuid)
    world.run_all()
    world.settle()
    checks.at_rest(world)
    assert world.row(uuid)["host"] == (TWO if leave == "evacuate" else None)
    assert not world.services.ports[own_port_of(world)]["device_id"]


@pytest.mark.parametrize("at", ["detach_interface", "detach_interface done", "DELETE ports done", "interface_detached done"])
def test_an_interface_goes_on_being_detached(world, at):
    uuid = active(world)
    api.detach_interface(world, uuid)
    world.go_to(world.deliver(), at)
    world.crash(ONE)
    world.settle()
    ends_well(world, uuid, ONE)
    assert world.row(uuid)["network_info"] == [] and not world.services.ports


def test_a_guest_runs_on_if_its_hard_reboot_cannot_ask_a_service(world):
    uuid = active(world, volume=True)
    api.power(world, uuid, "reboot-hard")
    work = world.deliver()
    world.go_to(work, "get_instance done")
    world.outages.append("before")
    world.finish(work)
    ends_well(world, uuid, ONE)


def test_a_detachment_is_repeated_if_a_service_was_away(world):
    uuid = active(world, volume=True)
    api.detach_volume(world, uuid)
    work = world.go_to(world.deliver(), "detach_volume done")
    world.outages.append("before")
    world.finish(work)
    world.settle()
    ends_well(world, uuid, ONE)
    assert world.row(uuid)["block_devices"] == [] and world.guest(ONE, uuid)["volumes"] == []


@pytest.mark.parametrize("at", ["detach_interface done", "DELETE ports done"])
def test_a_detached_interface_is_recorded_if_a_service_was_away(world, at):
    uuid = active(world)
    api.detach_interface(world, uuid)
    work = world.go_to(world.deliver(), at)
    world.outages.append("before")
    world.finish(work)
    world.settle()
    ends_well(world, uuid, ONE)
    assert world.row(uuid)["network_info"] == [] and not world.services.ports


@pytest.mark.parametrize("at", ["detach_interface done", "PUT ports done"])
def test_a_guest_that_is_recreated_during_a_detachment_loses_the_port_again(world, at):
    uuid = active(world, own_port=True)
    port = own_port_of(world)
    api.detach_interface(world, uuid, port)
    world.go_to(world.deliver(), at)
    world.cut_power(ONE)
    world.boot_host(ONE)
    world.outages.append("before")  # so the guest is recreated before the task is recovered
    world.finish(next(a for a in world.actors if a.name.startswith("recover")))
    world.finish(next(a for a in world.actors if a.name == "resume guests"))
    world.settle()
    ends_well(world, uuid, ONE)
    assert world.guest(ONE, uuid)["ports"] == [p["id"] for p in world.row(uuid)["network_info"]]


def test_an_image_whose_end_could_not_be_told_is_kept(world):
    uuid = active(world)
    api.snapshot(world, uuid)
    snapshot = world.go_to(world.deliver(), "finish")
    world.outages.append("before")
    world.finish(snapshot)
    world.settle()
    ends_well(world, uuid, ONE)
    assert [i["status"] for i in world.services.images.values()] == ["active"]


@pytest.mark.parametrize("deleted", [False, True])
def test_a_late_message_about_an_earlier_image_harms_no_later_one(world, deleted):
    uuid = active(world)
    api.snapshot(world, uuid)
    world.finish(world.deliver(keep=True))
    earlier = next(iter(world.services.images))
    if deleted:
        del world.services.images[earlier]
    api.snapshot(world, uuid)
    late = world.deliver()
    world.finish(late)
    world.run_all()
    checks.at_rest(world)
    assert {i["status"] for i in world.services.images.values()} == {"active"} and len(world.services.images) == 2 - deleted


def test_what_was_left_of_a_server_is_settled_before_its_next_operation(world):
    """A guest that an interrupted image left standing still would not hear that it is to stop."""
    uuid = active(world)
    api.snapshot(world, uuid)
    world.go_to(world.deliver(), "pause done")
    world.crash(ONE)
    world.services.images.clear()
    world.finish(world.pass_of_sweep())
    api.power(world, uuid, "stop")
    world.boot_host(ONE)
    late = world.actors[0]
    world.finish(world.deliver(len(world.mail) - 1))
    assert not world.agents[ONE].tasks.journal.keys()
    world.finish(late)
    world.settle()
    checks.at_rest(world)
    assert world.row(uuid)["vm_state"] == server_states.STOPPED


@pytest.mark.parametrize("first", ["with the server", "attached"])
def test_a_late_request_to_detach_an_interface_leaves_what_was_attached_since(world, first):
    """The same port of its owner's, to the same server: nothing but the message says which attachment was meant."""
    uuid = active(world, own_port=first == "with the server")
    if first == "attached":
        api.attach_interface(world, uuid, own_port=True)
        world.finish(world.deliver())
    port = own_port_of(world)
    api.detach_interface(world, uuid, port)
    world.finish(world.deliver(keep=True))
    assert not interfaces(world, uuid, port)
    api.attach_interface(world, uuid, own_port=True, port_id=port)
    world.finish(world.deliver(1))
    world.run_all()  # what was doubled comes
    ends_well(world, uuid, ONE)
    assert interfaces(world, uuid, port)


def own_port_of(world: World) -> str:
    return next(p["id"] for p in world.services.ports.values() if p.get("name") == "own")


def interfaces(world: World, uuid: str, port: str) -> list[dict]:
    return [p for p in world.row(uuid)["network_info"] if p["id"] == port]


def test_a_late_request_to_detach_a_volume_leaves_what_was_attached_since(world):
    uuid = active(world)
    api.attach_volume(world, uuid)
    world.finish(world.deliver())
    volume = world.row(uuid)["block_devices"][0]["volume_id"]
    api.detach_volume(world, uuid)
    world.finish(world.deliver(keep=True))
    assert not world.row(uuid)["block_devices"]
    api.attach_volume(world, uuid, volume)
    world.finish(world.deliver(1))
    world.run_all()  # what was doubled comes
    ends_well(world, uuid, ONE)
    assert [d["volume_id"] for d in world.row(uuid)["block_devices"]] == [volume]


def test_a_detachment_that_is_settled_late_leaves_what_was_attached_since(world):
    """The conductor is away when its host would settle it, and back when the port is attached again."""
    uuid = active(world, own_port=True)
    port = own_port_of(world)
    api.detach_interface(world, uuid, port)
    world.go_to(world.deliver(), "PUT ports done")
    world.crash(ONE)
    world.boot_host(ONE)
    late = world.actors[0]
    api.attach_interface(world, uuid, own_port=True, port_id=port)
    world.outages.append("before")
    world.finish(world.deliver())
    world.finish(late)
    ends_well(world, uuid, ONE)
    assert interfaces(world, uuid, port)


def test_a_guest_that_is_started_again_takes_no_port_that_another_server_got(world):
    """The host was cut off from power when the port was free again, and its server's row did not say so yet."""
    mine, other = active(world, own_port=True), api.create(world)
    world.finish(build(world, other, TWO))
    port = own_port_of(world)
    api.detach_interface(world, mine, port)
    world.go_to(world.deliver(), "PUT ports done")
    world.cut_power(ONE)
    api.attach_interface(world, other, own_port=True, port_id=port)
    world.finish(world.deliver())
    world.boot_host(ONE)
    world.run_all()
    well(world, other, TWO)
    ends_well(world, mine, ONE)
    well(world, other, TWO)
    assert interfaces(world, other, port) and not interfaces(world, mine, port)


def test_a_late_report_of_a_detachment_leaves_what_was_attached_since(world):
    """The conductor takes a report from its queue after its agent has given up waiting and reported again."""
    uuid = active(world, own_port=True)
    port = own_port_of(world)
    api.detach_interface(world, uuid, port)
    world.run_all()
    api.attach_interface(world, uuid, own_port=True, port_id=port)
    world.run_all()
    world.agents[ONE].conductor.interface_detached(context.service_context(), uuid, port, [], "")
    ends_well(world, uuid, ONE)
    assert interfaces(world, uuid, port)


@pytest.mark.parametrize("broken", [False, True])
def test_a_resized_guest_does_not_stand_still_for_an_extension_that_was_interrupted(world, broken):
    world.fall_silent(TWO)
    uuid = api.create(world, volume=True)
    world.run_all()
    api.resize(world, uuid)
    world.settle()
    host = world.row(uuid)["host"]
    assert world.row(uuid)["vm_state"] == server_states.RESIZED
    api.extend_volume(world, uuid)
    world.go_to(world.deliver(), "pause done")
    world.crash(host)
    if broken:
        path = next((world.path / host / "tasks" / "compute").glob("extend_volume-*.json"))
        path.write_bytes(path.read_bytes()[:30])
    world.settle()
    checks.at_rest(world)
    assert world.guests(host)[uuid] == server_states.RUNNING


@pytest.mark.parametrize("what", ["snapshot", "extend_volume"])
@pytest.mark.parametrize("at", ["pause", "pause done"])
def test_work_on_a_guest_that_a_power_cut_took_away_ends(world, what, at):
    """Its guest cannot be told to go on, as it stood still for that, and it is not started again here."""
    uuid = api.create(world, volume=True)
    world.finish(build(world, uuid, TWO))
    getattr(api, what)(world, uuid)
    world.go_to(world.deliver(), at)
    world.cut_power(TWO)
    world.settle()
    checks.at_rest(world)
    assert world.row(uuid)["vm_state"] == server_states.STOPPED and not world.guests(TWO)


def test_a_new_size_that_a_part_kept_from_the_guest_is_asked_for_again(world):
    """The volume service was away, and then the conductor, so that the failure is reported from the journal."""
    uuid = active(world, volume=True)
    api.extend_volume(world, uuid)
    work = world.go_to(world.deliver(), "pause done")
    world.outages += ["before", "before"]
    world.finish(work)
    world.recover(ONE)
    world.run_all()
    world.settle()
    ends_well(world, uuid, ONE)
    assert list(world.guest(ONE, uuid)["sizes"].values()) == [2]
