"""The reconciler of the volume scheduler: what it sends again, whatever is wrong with some of it."""

import datetime
import types
import unittest.mock

import pytest

from common import db
from common.db import Database
from volume.db import models
from volume.service import PendingWorkReconciler

HOUR_AGO = db.now() - datetime.timedelta(hours=1)


def volume(n: int, **values) -> dict:
    return {"id": f"{n:08}-1111-4111-8111-111111111111", "project_id": "owner", "user_id": "u", "size": 1, "status": "deleting",
            "availability_zone": "nova", "bootable": False, "host": "node1", "metadata": {}, "image_metadata": {},
            "request_id": "req-1", "created_at": HOUR_AGO, "updated_at": HOUR_AGO, **values}


@pytest.fixture
def service(tmp_path):
    database = Database("volume", f"sqlite:///{tmp_path}/v.sqlite")
    models.METADATA.create_all(database.engine)
    conf = types.SimpleNamespace(volume=types.SimpleNamespace(resend_after_s=10))
    return types.SimpleNamespace(db=database, conf=conf, agents=unittest.mock.Mock(), place=unittest.mock.Mock())


def insert(service, table, *found: dict) -> None:
    with service.db.writer() as connection:
        for row in found:
            connection.execute(table.insert().values(**row))


def test_a_row_that_cannot_be_handled_keeps_no_other_waiting(service):
    insert(service, models.volumes, volume(0, host=None, status="creating"), volume(1), volume(2, status="extending", size=3))
    insert(service, models.snapshots, *({
        "id": f"{n:08}-2222-4222-8222-222222222222", "name": "s", "project_id": "owner", "user_id": "u",
        "volume_id": volume(1)["id"], "volume_size": 1, "status": "deleting", "metadata": {}, "request_id": "req-1",
        "created_at": HOUR_AGO, "updated_at": HOUR_AGO} for n in range(2)))
    service.place.side_effect = RuntimeError("a poisoned row")
    service.agents.delete_snapshot.side_effect = [RuntimeError("another"), None]
    PendingWorkReconciler(service).run_once()
    assert service.place.call_count == 1 and service.agents.delete_snapshot.call_count == 2
    assert [c.args[1:] for c in service.agents.delete_volume.mock_calls] == [("node1", volume(1)["id"])]
    assert [c.args[1:] for c in service.agents.extend_volume.mock_calls] == [("node1", volume(2)["id"], 3)]


def test_everything_gets_its_turn_however_much_is_stuck(service):
    """Nor does it look younger by that: the audit goes by the time since when it is stuck."""
    insert(service, models.volumes, *(volume(n) for n in (3, 0, 4, 1, 2)))
    reconciler = PendingWorkReconciler(service)
    reconciler.most = 2
    sent = []
    for n in range(5):
        if n == 4:
            with service.db.writer() as connection:  # a while later
                connection.execute(models.volumes.update().values(resent_at=HOUR_AGO))
        reconciler.run_once()
        sent.append([int(c.args[2][:8]) for c in service.agents.delete_volume.mock_calls])
        service.agents.delete_volume.reset_mock()
    assert sent == [[0, 1], [2, 3], [4], [], [0, 1]]
    with service.db.reader() as connection:
        assert {r.updated_at for r in connection.execute(models.volumes.select())} == {HOUR_AGO}


def test_schedulers_share_what_is_stuck(service):
    """While one is at its first row, the other makes a whole pass: each row is sent once."""
    insert(service, models.volumes, *(volume(n) for n in range(4)))
    sent, other = [], PendingWorkReconciler(service)

    def delete_volume(ctx, host, volume_id):
        sent.append(int(volume_id[:8]))
        if len(sent) == 1:
            other.run_once()
    service.agents.delete_volume = delete_volume
    PendingWorkReconciler(service).run_once()
    assert sent == [0, 1, 2, 3]
