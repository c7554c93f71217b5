"""Secrets of servers: sealed in the database, told to their hosts alone, and passwords no longer than until they are used."""

import datetime
import json
import types

import pytest
import sqlalchemy as sa

from common import context, db, errors, guest, rows
from common.vault import Vault
from compute_agent.service import ComputeAgent
from conductor.db import models, secrets
from conductor.manager import Manager
from conductor.retention import Retention
from tests.compute.test_guests import ROW, manager  # noqa: F401

SERVER, OTHER = "11111111-0000-4000-8000-000000000001", "11111111-0000-4000-8000-000000000002"
TABLE = models.instance_secrets


@pytest.fixture
def conductor(manager, tmp_path):  # noqa: F811
    manager.service.vault = Vault(tmp_path / "keys")
    manager.service.notifier = types.SimpleNamespace(on=False, changed=lambda *args, **more: None)
    now = db.now()
    with manager.service.db.writer() as connection:
        for uuid in (SERVER, OTHER):
            connection.execute(sa.insert(models.instances).values(
                **{**ROW, "flavor": {"name": "f", "disk": 1}}, uuid=uuid, vm_state="building", task_state="spawning",
                power_state=0, host="node1", created_at=now, updated_at=now))
            connection.execute(sa.insert(models.allocations).values(
                instance_uuid=uuid, host="node1", vcpus=1, memory_mb=1, disk_gb=1, created_at=now))
        secrets.put_password(connection, manager.service.vault, [SERVER, OTHER], "correct horse")
    return manager


def kept(conductor: Manager) -> list[dict]:
    with conductor.service.db.reader() as connection:
        return rows.many(connection, sa.select(TABLE).order_by(TABLE.c.instance_uuid, TABLE.c.kind))


def secret(conductor: Manager, kind: str, host: str = "node1", uuid: str = SERVER) -> str | None:
    return conductor.server_secret(context.service_context(), uuid, kind, host)


def test_a_password_is_sealed_and_told_to_the_servers_host_alone(conductor):
    assert len(kept(conductor)) == 2 and "horse" not in str(kept(conductor))
    assert secret(conductor, "admin_password") == secret(conductor, "admin_password") == "correct horse"
    assert secret(conductor, "admin_password", "node2") is None
    with conductor.service.db.writer() as connection:
        secrets.put_password(connection, conductor.service.vault, [SERVER], "another")
    assert secret(conductor, "admin_password") == "another" and secret(conductor, "admin_password", uuid=OTHER) == "correct horse"


@pytest.mark.parametrize("report, left", [
    (lambda c, ctx: c.finish(ctx, SERVER, "spawn", [], {"power_state": 1, "network_info": [], "password_used": True}), False),
    (lambda c, ctx: c.finish(ctx, SERVER, "spawn", [], {"power_state": 1, "network_info": []}), True),
    (lambda c, ctx: c.finish(ctx, SERVER, "spawn", [], {"power_state": 1, "password_used": True}, attempt=7), True),
    (lambda c, ctx: c.fail(ctx, SERVER, "node1", "rebuild", "no", [], False), False)],
    ids=["used", "agent of the release before", "used by a former attempt", "failed"])
def test_a_password_is_removed_when_it_was_used_or_never_will_be(conductor, report, left):
    report(conductor, context.service_context())
    assert [row["instance_uuid"] for row in kept(conductor)] == ([SERVER] if left else []) + [OTHER]


def test_a_password_that_nobody_used_is_removed_after_a_day(conductor):
    conductor.service.conf.compute.deleted_server_days = 0
    for age, left in ((datetime.timedelta(hours=23), 2), (datetime.timedelta(hours=25), 0)):
        with conductor.service.db.writer() as connection:
            connection.execute(sa.update(TABLE).values(created_at=db.now() - age))
        Retention(conductor.service).run_once()
        assert len(kept(conductor)) == left


def test_the_key_of_a_tpm_is_made_once_and_goes_with_its_server(conductor):
    key = secret(conductor, "tpm")
    assert key and len(key) == 64 and secret(conductor, "tpm") == key != secret(conductor, "tpm", uuid=OTHER)
    assert secret(conductor, "tpm", "node2") is None and key not in str(kept(conductor))
    with conductor.service.db.writer() as connection:
        connection.execute(sa.delete(models.instances).where(models.instances.c.uuid == SERVER))
    assert {row["instance_uuid"] for row in kept(conductor)} == {OTHER}


def test_a_config_drive_has_the_password_once_and_the_metadata_service_never(conductor):
    agent = ComputeAgent.__new__(ComputeAgent)
    agent.conf, agent.conductor = types.SimpleNamespace(host="node1"), conductor
    row = {**conductor.get_instance(None, SERVER), "config_drive": True}

    def metadata(files: dict | None) -> dict:
        assert files
        assert files["openstack/latest/meta_data.json"] == files["openstack/2018-08-27/meta_data.json"]
        return json.loads(files["openstack/latest/meta_data.json"])
    assert metadata(agent.config_drive(row, first_boot=True))["admin_pass"] == "correct horse"
    assert "admin_pass" not in metadata(agent.config_drive(row, first_boot=False))
    assert b"horse" not in str(guest.lookup(row, "openstack/latest/meta_data.json")).encode()
    conductor.finish(context.service_context(), SERVER, "spawn", [], {"power_state": 1, "password_used": True})
    assert "admin_pass" not in metadata(agent.config_drive(row, first_boot=True))
    assert agent.config_drive({**row, "config_drive": False}, first_boot=True) is None


def test_a_config_drive_is_made_with_a_conductor_of_the_release_before(conductor):
    """Which agents that are upgraded first have to do with (``[upgrade_levels]``)."""
    def too_old(*args):
        raise errors.ServiceTooOld(part="conductor")
    agent = ComputeAgent.__new__(ComputeAgent)
    agent.conf, agent.conductor = types.SimpleNamespace(host="node1"), types.SimpleNamespace(server_secret=too_old)
    files = agent.config_drive({**conductor.get_instance(None, SERVER), "config_drive": True}, first_boot=True)
    assert files and "admin_pass" not in json.loads(files["openstack/latest/meta_data.json"])
