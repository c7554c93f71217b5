"""How a volume grows: its size is always the true one, its quota right, and every way that it may go ends settled."""

import datetime
import types
import unittest.mock

import pytest

from common import db, errors
from common.db import Database
from common.tasks import Engine, Journal
from volume.db import extensions, models, volumes
from volume.operations import Operations
from volume.services import actions
from volume.tasks.extend import ExtendVolume

VOLUME, SERVER = "00000001-1111-4111-8111-111111111111", "00000002-1111-4111-8111-111111111111"
LIMITS = types.SimpleNamespace(volumes=10, gigabytes=5, snapshots=10, per_volume_gigabytes=4)


@pytest.fixture
def service(tmp_path):
    database = Database("volume", f"sqlite:///{tmp_path}/v.sqlite")
    models.METADATA.create_all(database.engine)
    conf = types.SimpleNamespace(volume=types.SimpleNamespace(extend_timeout_s=120), quota=LIMITS)
    made = types.SimpleNamespace(db=database, conf=conf, driver=unittest.mock.Mock(), rest=unittest.mock.Mock(),
                                 notify=unittest.mock.Mock(), tasks=Engine(Journal(tmp_path / "journal")))
    made.rest.request.return_value = {"events": [{"code": 200}]}
    with database.writer() as connection:
        at = db.now()
        connection.execute(models.volumes.insert().values(
            id=VOLUME, project_id="p", user_id="u", size=1, status="in-use", availability_zone="nova", bootable=False,
            host="node1", metadata={}, image_metadata={}, request_id="req-1", created_at=at, updated_at=at))
        connection.execute(models.attachments.insert().values(
            id=SERVER, volume_id=VOLUME, project_id="p", instance_uuid=SERVER, attach_status="attached", connector={},
            connection_info={"data": {}}, attach_mode="rw", created_at=at))
    return made


def row(service) -> dict:
    with service.db.reader() as connection:
        return dict(connection.execute(models.volumes.select()).one()._mapping)


def facts(service) -> tuple:
    """(status, size, GiB that count against the quota)"""
    with service.db.reader() as connection:
        return row(service)["status"], row(service)["size"], volumes.usage(connection, "p")["gigabytes"]


def begin(service, size: int = 3, attached: bool = True) -> None:
    service.db.transact(lambda c: extensions.begin(c, service.conf, row(service), size, attached=attached, request_id="req-2"))


def detach(service) -> None:
    def work(connection):
        connection.execute(models.attachments.delete())
        if not extensions.detached(connection, VOLUME):
            volumes.move(connection, VOLUME, "detach")
    service.db.transact(work)


def extend(service) -> None:
    """A message of the API, or of the reconciler."""
    Operations(service).extend_volume(VOLUME)


def wait(service, seconds: float) -> None:
    with service.db.writer() as connection:
        connection.execute(models.volumes.update().values(
            updated_at=db.now() - datetime.timedelta(seconds=seconds)))


def test_its_size_is_the_old_one_until_the_backend_has_the_new(service):
    begin(service)
    assert facts(service) == ("extending", 1, 3)
    extend(service)
    assert facts(service) == ("extending", 3, 3), "its server has not confirmed it"
    service.driver.extend.assert_called_once_with(VOLUME, 3)
    assert service.rest.request.call_args.kwargs["body"] == {"events": [
        {"name": "volume-extended", "server_uuid": SERVER, "tag": VOLUME}]}
    assert service.db.transact(extensions.settle, VOLUME) and not service.db.transact(extensions.settle, VOLUME)
    assert facts(service) == ("in-use", 3, 3)


def test_an_unused_volume_is_available_at_once(service):
    detach(service)
    begin(service, attached=False)
    extend(service)
    assert facts(service) == ("available", 3, 3) and not service.rest.request.called
    assert service.notify.call_args.args[0] == "volume.resize.end"


def test_a_failed_extension_releases_its_quota(service):
    service.driver.extend.side_effect = errors.StepFailed(reason="no space")
    begin(service)
    extend(service)
    assert facts(service) == ("in-use", 1, 1) and "no space" in row(service)["fault"]
    detach(service)
    begin(service, attached=False)
    extend(service)
    assert facts(service) == ("error_extending", 1, 1)


@pytest.mark.parametrize(("size", "text"), [(5, "VolumeSizeExceedsLimit"), (4, None), (6, "VolumeSizeExceedsLimit")])
def test_the_whole_volume_counts_against_the_limit_of_one(service, size, text):
    if text is None:
        begin(service, size)
        return
    with pytest.raises(errors.TooLarge, match=text):
        begin(service, size)
    assert facts(service) == ("in-use", 1, 1)


def test_a_server_that_is_on_its_way_to_another_host_is_told(service):
    """Its guest runs where it was, and the volume is already reserved for where it goes."""
    with service.db.writer() as connection:
        (used,) = connection.execute(models.attachments.select()).mappings().all()
        connection.execute(models.attachments.delete())
        reserved = {**used, "id": VOLUME, "attach_status": "reserved", "connection_info": {}}
        connection.execute(models.attachments.insert(), [reserved, used])
    begin(service)
    extend(service)
    assert facts(service) == ("extending", 3, 3) and service.rest.request.call_args.kwargs["body"]["events"][0][
        "server_uuid"] == SERVER


def test_a_second_one_meanwhile_is_refused(service):
    begin(service)
    with pytest.raises(errors.BadRequest, match="status must be"):
        begin(service, 4)
    assert facts(service) == ("extending", 1, 3)


def test_a_lost_message_to_compute_is_sent_again_and_a_doubled_one_changes_nothing(service):
    begin(service)
    for _ in range(3):
        extend(service)
    assert service.rest.request.call_count == 3 and facts(service) == ("extending", 3, 3)


def test_an_unavailable_compute_service_causes_no_failure(service, monkeypatch):
    monkeypatch.setattr(ExtendVolume, "retry_s", 0.0)
    service.rest.request.side_effect = errors.ServiceUnavailable(part="the compute service")
    begin(service)
    extend(service)
    assert facts(service) == ("extending", 3, 3)
    service.rest.request.side_effect = None
    extend(service)
    service.db.transact(extensions.settle, VOLUME)
    assert facts(service) == ("in-use", 3, 3)


@pytest.mark.parametrize("code", [404, 422])
def test_a_server_that_is_gone_or_on_no_host_is_not_waited_for(service, code):
    service.rest.request.return_value = {"events": [{"code": code}]}
    begin(service)
    extend(service)
    assert facts(service) == ("in-use", 3, 3) and row(service)["fault"] is None


def test_the_wait_for_a_confirmation_is_limited(service):
    begin(service)
    extend(service)
    wait(service, 121)
    extend(service)
    assert facts(service) == ("in-use", 3, 3) and SERVER in row(service)["fault"]


def test_detached_while_it_grows(service):
    begin(service)
    detach(service)
    assert facts(service) == ("extending", 1, 3)
    extend(service)
    assert facts(service) == ("available", 3, 3)


def test_detached_while_its_server_is_waited_for(service):
    begin(service)
    extend(service)
    detach(service)
    assert facts(service) == ("available", 3, 3)


def test_a_message_that_comes_after_its_end_does_nothing(service):
    extend(service)
    assert not service.driver.extend.called and facts(service) == ("in-use", 1, 1)


def test_an_answer_about_an_extension_before_does_not_end_this_one(service, monkeypatch):
    """Its message was doubled, or late, and the guest has seen the former size meanwhile."""
    monkeypatch.setattr(actions.access, "volume", lambda call, connection, id, rule: row(service))
    begin(service, 3)
    extend(service)
    call = types.SimpleNamespace(svc=service)
    with pytest.raises(errors.BadRequest, match="extended further since"):
        actions.extend_completion(call, VOLUME, {"error": False, "new_size": 2})
    assert facts(service)[:2] == ("extending", 3)
    actions.extend_completion(call, VOLUME, {"error": False, "new_size": 3})
    assert facts(service)[:2] == ("in-use", 3)
