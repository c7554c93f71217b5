"""What a server holds while it moves, where it may go, and what is left when the move ends otherwise."""

import types

import pytest
import sqlalchemy as sa

from common import conf as conf_module
from common import context, errors
from compute_api.services import resizes as requests
from conductor import conf
from conductor import operations as engine
from conductor.db import (
    allocations,
    deletion,
    instances,
    live_migrations,
    machine,
    models,
    operations,
    quotas,
    resizes,
    server_migrations,
)
from conductor.operations import remove
from scheduler import targets
from scheduler.placement import Placement
from tests.compute.test_allocations import SMALL, database, node, server, used  # noqa: F401

CTX = context.Context(request_id="req-1", project_id="p", user_id="u")
FLAVOR = {"id": "1", "name": "small", "vcpus": 1, "ram": 100, "disk": 1, "ephemeral": 0}
LARGE = {**FLAVOR, "id": "2", "name": "large", "vcpus": 4, "ram": 400, "disk": 4, "disk_gb": 4}


@pytest.fixture
def placement(database, tmp_path):  # noqa: F811
    loaded = conf_module.load("compute", conf.OPTS, str(tmp_path), {"scheduler.host_cache_s": 0.0})
    with database.writer() as connection:
        server(connection, "s", "a", flavor=FLAVOR, scheduler_hints={}, tried_hosts=["b"], requested_host="a", attempt=0)
        assert allocations.claim(connection, node(connection, "a"), "s", SMALL, {})
    return Placement(loaded, database)


def begin(database, **how) -> dict:  # noqa: F811
    """The operation's row."""
    with database.writer() as connection:
        made = resizes.begin(connection, CTX, instances.find(connection, "s"), **{"action": "migrate", **how})
        return operations.get(connection, made)


def claim(placement, row: dict, host: str | None = None) -> str | None:
    return targets.claim(placement, "s", row["attempt"], row["data"]["migration"], host)


def faults(database) -> dict:  # noqa: F811
    with database.reader() as connection:
        return allocations.inconsistencies(connection)


def test_the_target_is_another_host_whatever_was_asked_for_at_the_boot(placement, database):  # noqa: F811
    row = begin(database)
    for _ in range(2):
        assert claim(placement, row) == "b"
    assert used(database, "a") == used(database, "b") == (1, 100, 1, 1)
    assert faults(database) == {}
    with database.writer() as connection:
        allocations.repair(connection, "b")
    assert used(database, "b") == (1, 100, 1, 1), "the audit takes nothing from a server that moves"


def test_a_live_migration_whose_target_is_claimed_is_still_in_progress(placement, database):  # noqa: F811
    """It is being prepared from then on, can be shown, and aborted."""
    with database.writer() as connection:
        migration = live_migrations.begin(connection, CTX, instances.find(connection, "s"), host=None, force=False, block=None)[1]
        attempt = instances.states_of(connection, "s")["attempt"]
    assert targets.claim(placement, "s", attempt, migration, None) == "b"
    with database.writer() as connection:
        assert live_migrations.in_progress(connection, "s")
        assert live_migrations.ask(connection, migration, live_migrations.ABORT, (live_migrations.PREPARING,))


def test_a_resize_claims_what_the_new_flavor_takes(placement, database):  # noqa: F811
    disable(database, "a")
    row = begin(database, action="resize", flavor=LARGE)
    assert claim(placement, row) == "b"
    assert (used(database, "a"), used(database, "b")) == ((1, 100, 1, 1), (4, 400, 4, 1))
    assert faults(database) == {} and row["data"]["new"]["memory_mb"] == 400 and "disk_gb" not in row["data"]["new"]["flavor"]


def disable(database, host: str, disabled: bool = True) -> None:  # noqa: F811
    with database.writer() as connection:
        connection.execute(sa.update(models.services).where(models.services.c.host == host).values(disabled=disabled))


def test_a_resize_on_the_same_host_claims_disks_for_both_flavors_and_the_larger_guest(placement, database):  # noqa: F811
    disable(database, "b")
    row = begin(database, action="resize", flavor={**LARGE, "ram": 50})
    for _ in range(2):
        assert claim(placement, row) == "a"
        assert used(database, "a") == (4, 100, 5, 1) and faults(database) == {}
    with database.writer() as connection:
        allocations.repair(connection, "a")
    assert used(database, "a") == (4, 100, 5, 1), "the audit takes nothing from a server that is resized"


@pytest.mark.parametrize("keep,left", [(resizes.OLD, (1, 100, 1, 1)), (resizes.NEW, (4, 400, 4, 1))])
def test_what_is_left_when_a_resize_on_the_same_host_ends(placement, database, keep, left):  # noqa: F811
    disable(database, "b")
    row = begin(database, action="resize", flavor=LARGE)
    claim(placement, row)
    for _ in range(2):
        with database.writer() as connection:
            resizes.give_back(connection, row["data"]["migration"], keep)
    assert used(database, "a") == left and used(database, "b") == (0, 0, 0, 0)


@pytest.mark.parametrize("started", [False, True])
def test_an_operator_s_reset_of_a_resize_on_the_same_host_leaves_what_the_server_has(placement, database, started):  # noqa: F811
    disable(database, "b")
    row = begin(database, action="resize", flavor=LARGE)
    claim(placement, row)
    with database.writer() as connection:
        if started:
            instances.write(connection, "s", **row["data"]["new"])
        machine.reset(connection, "s", "active")
        resizes.leave(connection, CTX, "s")
    assert used(database, "a") == ((4, 400, 4, 1) if started else (1, 100, 1, 1)) and faults(database) == {}
    assert left(database)[-1] == ("remove_kept_disks", {"host": "a", "migration": row["data"]["migration"]})


def test_room_for_what_it_takes_more_is_enough_to_stay(placement, database):  # noqa: F811
    """Of 8 physical CPUs 5 are free for the others, and the server has one of the rest."""
    placement.conf.set_override("cpu_allocation_ratio", 1.0, "scheduler")
    placement = Placement(placement.conf, database)
    disable(database, "b")
    with database.writer() as connection:
        server(connection, "t", "a", vcpus=3)
        assert allocations.claim(connection, node(connection, "a"), "t", {**SMALL, "vcpus": 3}, {})
    with pytest.raises(errors.NoValidHost, match="1 not enough CPUs"):
        claim(placement, begin(database, action="resize", flavor={**LARGE, "vcpus": 6}))
    with database.writer() as connection:
        machine.fail(connection, "s", "resize")
    assert claim(placement, begin(database, action="resize", flavor={**LARGE, "vcpus": 5})) == "a"
    assert used(database, "a")[0] == 8


def test_without_the_option_a_resize_goes_to_another_host(placement, database):  # noqa: F811
    placement.conf.set_override("allow_resize_to_same_host", False, "compute")
    disable(database, "b")
    with pytest.raises(errors.NoValidHost, match="1 down or disabled"):
        claim(placement, begin(database, action="resize", flavor=LARGE))
    with database.writer() as connection:
        machine.fail(connection, "s", "resize")
    disable(database, "b", False)
    assert claim(placement, begin(database, action="resize", flavor=LARGE)) == "b"


def test_the_host_that_was_asked_for_or_none(placement, database):  # noqa: F811
    with pytest.raises(errors.NoValidHost):
        claim(placement, begin(database), "c")
    with database.writer() as connection:
        connection.execute(sa.delete(models.services).where(models.services.c.host == "b"))
        machine.fail(connection, "s", "migrate")
    with pytest.raises(errors.NoValidHost, match="no host besides"):
        claim(placement, begin(database))


def test_nothing_is_claimed_for_an_attempt_that_is_past(placement, database):  # noqa: F811
    row = begin(database)
    with database.writer() as connection:
        machine.begin(connection, "s", "delete")
    assert claim(placement, row) is None and used(database, "b") == (0, 0, 0, 0)


def moved(placement, database) -> None:  # noqa: F811
    """The server is on b and waits to be confirmed."""
    row = begin(database)
    claim(placement, row)
    with database.writer() as connection:
        instances.write(connection, "s", host="b")
        machine.finish(connection, "s", "migrate", attempt=row["attempt"])
        server_migrations.write(connection, row["data"]["migration"], status=server_migrations.FINISHED)
        connection.execute(sa.delete(models.operations))


def left(database) -> list[tuple]:  # noqa: F811
    with database.reader() as connection:
        return [(o["kind"], o["data"]) for o in operations.list_all(connection)]


def test_a_deleted_server_gives_back_both_hosts_and_the_other_is_cleared(placement, database):  # noqa: F811
    moved(placement, database)
    with database.writer() as connection:
        machine.begin(connection, "s", "delete")
        assert deletion.finish(connection, CTX, "s", "b", [])
    assert used(database, "a") == used(database, "b") == (0, 0, 0, 0)
    assert left(database) == [("remove", {"host": "a"})]
    with database.reader() as connection:
        assert server_migrations.open_of(connection, "s") is None


def test_an_operator_who_resets_the_state_leaves_it_on_its_host(placement, database):  # noqa: F811
    moved(placement, database)
    for _ in range(2):
        with database.writer() as connection:
            machine.reset(connection, "s", "active")
            resizes.leave(connection, CTX, "s")
    assert (used(database, "a"), used(database, "b")) == ((0, 0, 0, 0), (1, 100, 1, 1))
    assert left(database) == [("remove", {"host": "a"})] and faults(database) == {}


def test_only_what_was_moved_is_confirmed_or_reverted(placement, database):  # noqa: F811
    def revert(connection, ctx, row):
        return resizes.revert(connection, ctx, row, server_migrations.open_of(connection, "s"))

    for work in (resizes.confirm, revert):
        with pytest.raises(errors.InvalidState), database.writer() as connection:
            work(connection, CTX, instances.find(connection, "s"))
    moved(placement, database)
    with database.writer() as connection:
        made = operations.get(connection, resizes.confirm_automatically(connection, CTX, "s"))
    assert (made["kind"], made["data"]["source"], made["data"]["target"]) == ("confirm_resize", "a", "b")
    with pytest.raises(errors.InvalidState), database.writer() as connection:
        revert(connection, CTX, instances.find(connection, "s"))


def test_growth_counts_what_others_are_growing_by(placement, database):  # noqa: F811
    defaults = {**quotas.DEFAULTS, "cores": 6, "ram": -1}
    with database.writer() as connection:
        server(connection, "t", "a", flavor=FLAVOR)
        quotas.Servers(connection, defaults, "p", "u").check_growth(FLAVOR, LARGE)
    begin(database, action="resize", flavor=LARGE)
    with database.writer() as connection:
        with pytest.raises(errors.QuotaExceeded, match="cores"):
            quotas.Servers(connection, defaults, "p", "u").check_growth(FLAVOR, LARGE)
        quotas.Servers(connection, defaults, "p", "u").check_growth(LARGE, FLAVOR)


def test_a_server_that_is_booted_may_not_take_what_another_grows_by(placement, database):  # noqa: F811
    defaults = {**quotas.DEFAULTS, "cores": 4, "ram": -1}
    row = begin(database, action="resize", flavor=LARGE)
    with database.writer() as connection:
        known = quotas.Servers(connection, defaults, "p", "u")
        assert known.room(FLAVOR) == 0
        for check in (lambda: known.check(1, FLAVOR),
                      lambda: quotas.check_servers(connection, defaults, "p", "u", 1, 1, FLAVOR)):
            with pytest.raises(errors.QuotaExceeded, match="cores"):
                check()
        # It has its new flavor before its move has ended, and is counted once.
        instances.write(connection, "s", host="b", **row["data"]["new"])
        server_migrations.write(connection, row["data"]["migration"], status=server_migrations.MOVED)
        assert quotas.Servers(connection, {**defaults, "cores": 5}, "p", "u").room(FLAVOR) == 1


def test_a_users_part_of_a_quota_counts_what_his_servers_grow_by(placement, database):  # noqa: F811
    with database.writer() as connection:
        server(connection, "t", "a", flavor=FLAVOR, user_id="another")
        quotas.store_user(connection, "p", "u", {"cores": 4})
        quotas.store_user(connection, "p", "another", {"cores": 4, "instances": 1})
    begin(database, action="resize", flavor=LARGE)
    with database.writer() as connection:
        owner, another, third = (quotas.Servers(connection, quotas.DEFAULTS, "p", user) for user in ("u", "another", "third"))
        assert (owner.room(FLAVOR), another.room(FLAVOR), third.limit["cores"]) == (0, 0, quotas.DEFAULTS["cores"])
        with pytest.raises(errors.QuotaExceeded, match="cores"):
            owner.check(1, FLAVOR)
        with pytest.raises(errors.QuotaExceeded, match="instances"):
            another.check(1, FLAVOR)
        another.check_growth(FLAVOR, {**FLAVOR, "vcpus": 4})
        third.check(1, FLAVOR)


def test_what_a_revert_grows_by_is_counted(placement, database):  # noqa: F811
    defaults = {**quotas.DEFAULTS, "cores": 4, "ram": -1}
    with database.writer() as connection:
        instances.write(connection, "s", flavor=LARGE, vcpus=4, memory_mb=400)
    row = begin(database, action="resize", flavor={**FLAVOR, "disk_gb": 1})
    with database.writer() as connection:
        instances.write(connection, "s", host="b", **row["data"]["new"])
        machine.finish(connection, "s", "resize", attempt=row["attempt"])
        server_migrations.write(connection, row["data"]["migration"], status=server_migrations.FINISHED)
        assert quotas.Servers(connection, defaults, "p", "u").room(FLAVOR) == 3
    driven = []
    svc = types.SimpleNamespace(
        db=database, send=lambda work, *about: work(*about), quota_defaults={**defaults, "cores": 3},
        conductor=types.SimpleNamespace(drive_operation=lambda ctx, operation_id: driven.append(operation_id)),
        notifier=types.SimpleNamespace(notify=lambda *about: None),
        policy=types.SimpleNamespace(check=lambda *about: None, is_admin=lambda ctx: False))
    with pytest.raises(errors.QuotaExceeded, match="cores"):
        requests.revert(types.SimpleNamespace(ctx=CTX, svc=svc), "s")
    assert not driven
    svc.quota_defaults = defaults
    requests.revert(types.SimpleNamespace(ctx=CTX, svc=svc), "s")
    with database.writer() as connection:
        assert [o["id"] for o in operations.of_server(connection, "s") if o["kind"] == resizes.REVERT] == driven
        assert quotas.Servers(connection, defaults, "p", "u").room(FLAVOR) == 0


def test_nothing_is_claimed_for_a_migration_that_has_failed(placement, database, monkeypatch):  # noqa: F811
    """The conductor gave up waiting for a scheduler that was slow."""
    row = begin(database)

    def ended_meanwhile(*args):
        with database.writer() as connection:
            server_migrations.write(connection, row["data"]["migration"], status=server_migrations.ERROR)
            machine.fail(connection, "s", "migrate", attempt=row["attempt"])
        return choose(*args)
    choose = placement.choose
    monkeypatch.setattr(placement, "choose", ended_meanwhile)
    for _ in range(2):
        assert claim(placement, row) is None
    assert used(database, "b") == (0, 0, 0, 0) and faults(database) == {}


def removal(database, asked: list) -> engine.Engine:  # noqa: F811
    made = engine.Engine(types.SimpleNamespace(
        db=database, conf=types.SimpleNamespace(host="one", service_down_time=60),
        rest=types.SimpleNamespace(request=lambda *a, **k: {"ports": [], "attachments": []}),
        agents=types.SimpleNamespace(operation_step=lambda ctx, host, *about: asked.append((host, *about)))), [remove.Remove()])
    made.wake = lambda operation_id: None  # type: ignore[method-assign]
    return made


def test_what_is_left_on_a_target_is_removed_while_its_claim_is_not_given_back_yet(placement, database):  # noqa: F811
    row, asked = begin(database), []
    claim(placement, row)
    with database.writer() as connection:
        resizes.remove_from(connection, CTX, "s", "b")
        made = next(o["id"] for o in operations.list_all(connection) if o["kind"] == "remove")
        connection.execute(sa.update(models.operations).where(models.operations.c.id == row["id"]).values(
            phase=operations.UNDO, data={**row["data"], "target": "b"}))
    removal(database, asked).run(made)
    assert [host for host, *_ in asked] == ["b"]


def test_a_host_that_the_server_comes_to_again_does_not_begin_to_remove_it(placement, database):  # noqa: F811
    asked: list = []
    with database.writer() as connection:
        resizes.remove_from(connection, CTX, "s", "b")
        made = operations.list_all(connection)[0]["id"]
    engine_of_removal = removal(database, asked)
    engine_of_removal.run(made)
    (host, _, operation_id, number), = asked
    assert host == "b" and engine_of_removal.begin_step(operation_id, number)["step"] == "remove"
    claim(placement, begin(database))
    assert engine_of_removal.begin_step(operation_id, number) is None, "the disk that came there since would be lost"


@pytest.mark.parametrize("name", ["host", "source_compute"])
def test_who_may_not_see_hosts_cannot_try_their_names(placement, database, name):  # noqa: F811
    begin(database)

    def check(ctx, rule, target):
        if rule.endswith(":host"):
            raise errors.Forbidden()
    call = types.SimpleNamespace(ctx=CTX, svc=types.SimpleNamespace(db=database, policy=types.SimpleNamespace(
        check=check, allows=lambda *a: False)))
    assert len(requests.index(call, {"project_id": "p"}, {}, limit=10, marker=None)) == 1
    with pytest.raises(errors.Forbidden):
        requests.index(call, {"project_id": "p", name: "a"}, {}, limit=10, marker=None)


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_marker_says_nothing_of_migrations_that_one_may_not_see(placement, database, everywhere):  # noqa: F811
    """It is refused as one that does not exist; who sees those of every project goes on from any."""
    begin(database)
    with database.reader() as connection:
        marker = connection.execute(sa.select(server_migrations.TABLE.c.uuid)).scalar()

    def check(ctx, rule, target):
        if rule.endswith(":all_projects") and not everywhere:
            raise errors.Forbidden()
    ctx = context.service_context(project_id="another")
    call = types.SimpleNamespace(ctx=ctx, svc=types.SimpleNamespace(db=database, policy=types.SimpleNamespace(check=check)))
    call.svc.policy.allows = lambda ctx, rule, target: everywhere
    for wanted in (marker, context.new_uuid()):
        if everywhere and wanted == marker:
            assert requests.index(call, {"project_id": "another"}, {}, limit=10, marker=wanted) == []
        else:
            with pytest.raises(errors.BadRequest, match="could not be found"):
                requests.index(call, {"project_id": "another"}, {}, limit=10, marker=wanted)
