"""What the owner of a snapshot says of it does not make it usable before it is."""

import types

import pytest

from common import db, errors
from common.db import Database
from common.tasks import Engine, Journal
from volume.db import models
from volume.handlers.snapshots import _reported
from volume.schemas.snapshots import STATUSES
from volume.tasks.snapshot import CreateSnapshot, DeleteSnapshot


@pytest.fixture
def service(tmp_path):
    """With a snapshot of status ``status()``, whose ``copied`` bytes a test decides on."""
    database = Database("volume", f"sqlite:///{tmp_path}/v.sqlite")
    models.METADATA.create_all(database.engine)
    at = db.now()
    with database.writer() as connection:
        connection.execute(models.volumes.insert().values(
            id="v", project_id="owner", user_id="u", size=1, status="available", availability_zone="nova", bootable=False,
            metadata={}, image_metadata={}, request_id="req-1", created_at=at, updated_at=at))
        connection.execute(models.snapshots.insert().values(
            id="s", project_id="owner", user_id="u", volume_id="v", volume_size=1, status="creating", metadata={},
            request_id="req-1", created_at=at, updated_at=at))

    def say(status: str) -> None:
        with database.writer() as connection:
            connection.execute(models.snapshots.update().values(status=status))

    def status() -> str:
        with database.reader() as connection:
            return connection.execute(models.snapshots.select()).one().status
    told: list[tuple] = []
    notifier = types.SimpleNamespace(changed=lambda ctx, *what: told.append(what))
    return types.SimpleNamespace(db=database, say=say, status=status, told=told, notifier=notifier, driver=types.SimpleNamespace(
        snapshot=None, delete_snapshot=lambda snapshot_id: None), tasks=Engine(Journal(tmp_path / "tasks")))


def create(service) -> None:
    service.tasks.run(CreateSnapshot(service), "s", {"snapshot_id": "s", "volume_id": "v"})


def test_a_snapshot_that_could_not_be_copied_becomes_error(service):
    def copy(snapshot_id, volume_id):
        service.say("available")
        raise errors.StepFailed(reason="The backend is full.")
    service.driver.snapshot = copy
    with pytest.raises(errors.StepFailed):
        create(service)
    assert service.status() == "error"
    assert service.told == [("snapshot", {"project_id": "owner"})], "whoever asked for it"


def test_a_snapshot_set_to_available_is_copied_nevertheless(service):
    service.driver.snapshot = lambda snapshot_id, volume_id: service.say("available")
    create(service)
    assert service.status() == "available"


def test_what_may_be_said_of_a_snapshot():
    """As Cinder has it: of one that is being made or deleted, how that went; of another nothing."""
    allowed = {"creating": {"creating", "available", "error"}, "deleting": {"deleting", "error_deleting"}}
    for now in STATUSES:
        for said in STATUSES:
            if said in allowed.get(now, ()):
                assert _reported({"status": now}, said) == {"status": said}
            else:
                with pytest.raises(errors.BadRequest, match=f"{said if now in allowed else now} not allowed"):
                    _reported({"status": now}, said)


def test_a_journal_with_the_former_name_of_a_step_is_resumed(service):
    service.say("deleting")
    service.tasks.journal.write({"task": "delete-snapshot", "id": "s", "state": {"snapshot_id": "s"}, "done": ["free"],
                                 "phase": "execute", "step": "forget"})
    assert service.tasks.recover(lambda name: DeleteSnapshot(service)) == 1
    with service.db.reader() as connection:
        assert connection.execute(models.snapshots.select()).first() is None
    assert not service.tasks.pending()
