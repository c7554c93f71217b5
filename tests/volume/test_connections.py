"""A host's connection is there if, and only if, the volume's host may have exported it."""

import types
import unittest.mock

import pytest

from common import errors
from common.context import Context
from common.db import Database
from tests.volume.test_pending_work import volume
from volume.db import attachments, models, volumes
from volume.services import connections

VOLUME = volume(1)["id"]
CONNECTOR = {"connector": {"host": "iron", "initiator": "iqn.2000-01.com.example:iron", "io_paused": True}}
INFO = {"driver_volume_type": "fake", "data": {}}


@pytest.fixture
def call(tmp_path):
    """With an available volume."""
    database = Database("volume", f"sqlite:///{tmp_path}/v.sqlite")
    models.METADATA.create_all(database.engine)
    with database.writer() as connection:
        connection.execute(models.volumes.insert().values(**volume(1, status="available")))
    policy = unittest.mock.Mock(**{"is_admin.return_value": False})
    agents = unittest.mock.Mock(**{"connect.return_value": INFO})
    return types.SimpleNamespace(ctx=Context(project_id="owner"), version=(3, 68), svc=types.SimpleNamespace(
        db=database, policy=policy, agents=agents, notifier=unittest.mock.Mock()))


def state(call) -> tuple[str, list[str]]:
    with call.svc.db.reader() as connection:
        row = volumes.get(connection, None, VOLUME)
    return row["status"], [each["attach_status"] for each in row["attachments"]]


def test_a_refused_export_leaves_nothing(call):
    call.svc.agents.connect.side_effect = errors.StepFailed(reason="no space")
    with pytest.raises(errors.StepFailed):
        connections.initialize(call, VOLUME, CONNECTOR)
    assert state(call) == ("available", []) and call.svc.agents.disconnect.called


def test_the_connection_of_a_silent_host_stays_until_it_is_known(call):
    call.svc.agents.connect.side_effect = errors.ServiceUnavailable(part="the host")
    with pytest.raises(errors.ServiceUnavailable):
        connections.initialize(call, VOLUME, CONNECTOR)
    assert state(call) == ("attaching", ["connected"])
    call.svc.agents.connect.side_effect = None
    row = connections.initialize(call, VOLUME, CONNECTOR)
    assert state(call) == ("attaching", ["connected"]) and row["connection_info"]["data"] == {"access_mode": "rw"}
    call.svc.agents.disconnect.side_effect = errors.ServiceUnavailable(part="the host")
    with pytest.raises(errors.ServiceUnavailable):
        connections.terminate(call, VOLUME, CONNECTOR)
    assert state(call) == ("attaching", ["connected"])
    call.svc.agents.disconnect.side_effect = None
    connections.terminate(call, VOLUME, CONNECTOR)
    assert state(call) == ("available", [])


def test_one_that_was_never_answered_is_disconnected_too(call):
    call.svc.agents.connect.side_effect = errors.ServiceUnavailable(part="the host")
    with pytest.raises(errors.ServiceUnavailable):
        connections.initialize(call, VOLUME, CONNECTOR)
    connections.terminate(call, VOLUME, CONNECTOR)
    assert call.svc.agents.disconnect.called and state(call) == ("available", [])


def test_a_client_cannot_say_that_its_guest_is_paused(call):
    connections.initialize(call, VOLUME, CONNECTOR)
    assert "io_paused" not in call.svc.agents.connect.call_args.args[-1]


def test_a_server_gets_and_leaves_a_multiattach_volume_that_a_host_has_connected(call):
    with call.svc.db.writer() as connection:
        connection.execute(models.volumes.update().values(multiattach=True))
    connections.initialize(call, VOLUME, CONNECTOR)
    call.svc.policy.is_admin.return_value = True
    connections.attach(call, VOLUME, {"mountpoint": "/dev/sdb", "host_name": "iron"})
    with call.svc.db.writer() as connection:
        held = volumes.get(connection, None, VOLUME)
        attachments.reserve(connection, held, "server")
        row = attachments.new(held, instance_uuid="server")
        connection.execute(models.attachments.insert().values(row))
        attachments.connected(connection, row)
        attachments.completed(connection, row, {})
        assert volumes.get(connection, None, VOLUME)["status"] == "in-use"
        attachments.ended(connection, {**row, "attach_status": "attached"})
    assert state(call) == ("in-use", ["connected", "attached"])
