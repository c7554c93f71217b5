"""A volume that is uploaded is as it was afterwards, whatever becomes of its image; and an image has all of it, or is gone."""

import threading
import types
import unittest.mock

import pytest

from common import context, errors, images
from common.context import Context
from common.db import Database
from common.periodic import wait_for
from common.tasks import Engine, Journal
from common.workers import Workers
from tests.volume.test_pending_work import volume
from volume.db import attachments, models, uploads, volumes
from volume.manager import CREATE, OTHER, Manager
from volume.services import actions
from volume.services import uploads as service_of_api
from volume.services import volumes as services_volumes
from volume.tasks.upload import UploadVolume

VOLUME = volume(1)["id"]
IMAGE, OTHER_IMAGE = (f"{n:08}-4444-4444-8444-444444444444" for n in (1, 2))


class Images:
    """The image service: {id: image}."""

    def __init__(self):
        self.known: dict[str, dict] = {}
        self.made = 0

    def request(self, method, service, where, *, body=None, ctx=None, **more):
        if method == "POST":
            self.made += 1
            return self.known.setdefault(IMAGE, {"id": IMAGE, "status": "queued", "protected": False, "visibility": "shared",
                                                 **body})
        image = self.known.get(str(where).split("/")[3])
        if image is None:
            raise errors.NotFound("no such image")
        if method == "DELETE":
            if image["protected"]:
                raise errors.Forbidden("It is protected.")
            del self.known[image["id"]]
        elif method == "PATCH":
            image["protected"] = False
        elif method == "PUT":
            image.update(status="active", data=body.read())
        return image


@pytest.fixture
def service(tmp_path):
    """With a volume that is available, and an image that waits."""
    database = Database("volume", f"sqlite:///{tmp_path}/v.sqlite")
    models.METADATA.create_all(database.engine)
    (tmp_path / "out").mkdir()
    (tmp_path / "disk").write_bytes(b"abc" * 1000)
    found = Images()
    found.known = {i: {"id": i, "status": "queued", "disk_format": "raw", "protected": True} for i in (IMAGE, OTHER_IMAGE)}
    made = types.SimpleNamespace(
        db=database, notifier=unittest.mock.Mock(), rest=found, outgoing=tmp_path / "out",
        driver=unittest.mock.Mock(**{"data.return_value": tmp_path / "disk"}), tasks=Engine(Journal(tmp_path / "tasks")),
        workers=Workers("volume-agent", {CREATE: 1, OTHER: 1}))
    with database.writer() as connection:
        connection.execute(models.volumes.insert().values(**volume(1, status="available")))
    return made


def say(service, **values) -> None:
    with service.db.writer() as connection:
        connection.execute(models.volumes.update().values(**values))


def shown(service) -> dict:
    with service.db.reader() as connection:
        return volumes.get(connection, None, VOLUME)


def begin(service, image: str = IMAGE, *, in_use: bool = False) -> None:
    service.db.transact(uploads.begin, VOLUME, image, in_use=in_use, request_id="req-1")


def attached(service, status: str = "attached") -> dict:
    with service.db.writer() as connection:
        row = attachments.new(volumes.get(connection, None, VOLUME), instance_uuid="server", attach_status=status)
        connection.execute(models.attachments.insert().values(row))
    say(service, status="in-use")
    return row


def run(service) -> None:
    Manager(service).operations.upload_volume(VOLUME)


def test_an_image_gets_what_the_volume_has(service):
    begin(service)
    run(service)
    assert service.rest.known[IMAGE]["data"] == b"abc" * 1000 and shown(service)["status"] == "available"
    assert not service.driver.snapshot.called and not list(service.outgoing.iterdir())


def test_a_late_or_doubled_message_begins_nothing(service):
    begin(service)
    run(service)
    service.rest.known[IMAGE]["data"] = b"seen"
    run(service)
    assert service.rest.known[IMAGE]["data"] == b"seen" and service.rest.known[OTHER_IMAGE]["status"] == "queued"
    begin(service, OTHER_IMAGE)
    run(service)  # the message of the first, which the volume's host gets only now
    assert service.rest.known[OTHER_IMAGE]["status"] == "active" and shown(service)["status"] == "available"


@pytest.mark.parametrize("values", [{"status": "active"}, {"status": "importing"}, {"disk_format": "iso"}, {"disk_format": None}])
def test_an_image_that_its_owner_has_changed_gets_nothing(service, values):
    begin(service)
    service.rest.known[IMAGE].update(values)
    run(service)
    assert "data" not in service.rest.known.get(IMAGE, {}) and shown(service)["status"] == "available"
    assert "cannot get what a volume has" in shown(service)["fault"]
    assert (IMAGE in service.rest.known) is ("status" in values), "one that never had data is deleted, also a protected one"


def test_an_image_that_is_gone(service):
    begin(service)
    del service.rest.known[IMAGE]
    run(service)
    assert shown(service)["status"] == "available" and "has been deleted" in shown(service)["fault"]


@pytest.mark.parametrize("status", ["reserved", "attaching"])
def test_a_volume_is_not_uploaded_while_it_is_being_attached(service, status):
    attached(service, status)
    with pytest.raises(errors.BadRequest, match="is being attached"):
        begin(service, in_use=True)
    assert shown(service)["status"] == "in-use"


def test_a_volume_in_use_is_copied_at_one_moment(service):
    attached(service)
    with pytest.raises(errors.BadRequest, match="status must be available$"):
        begin(service)
    begin(service, in_use=True)
    run(service)
    service.driver.snapshot.assert_called_once_with(IMAGE, VOLUME)
    service.driver.delete_snapshot.assert_called_with(IMAGE)
    assert service.rest.known[IMAGE]["status"] == "active" and shown(service)["status"] == "in-use"


def test_a_server_that_goes_meanwhile(service):
    row = attached(service)
    begin(service, in_use=True)
    service.db.transact(attachments.completed, row, {})  # its host connects it again
    assert shown(service)["status"] == "uploading"
    service.db.transact(attachments.ended, row)
    assert shown(service)["status"] == "uploading"
    run(service)
    assert shown(service)["status"] == "available"


def test_a_task_only_reports_its_own_image(service):
    """An administrator resets the status while the volume is uploaded, and another upload is begun."""
    begin(service)
    say(service, status="available")
    begin(service, OTHER_IMAGE)
    former, state = UploadVolume(service), {"volume_id": VOLUME, "image_id": IMAGE, "in_use": False}
    assert not former.still_current(state)
    former.done(state)
    former.failed("upload", errors.StepFailed(reason="no space"), state)
    assert (shown(service)["status"], shown(service)["fault"]) == ("uploading", None)
    former.discard(state)
    assert list(service.rest.known) == [OTHER_IMAGE]


def test_a_forced_delete_ends_the_conversion(service, monkeypatch):
    begin(service)
    service.rest.known[IMAGE]["disk_format"] = "qcow2"
    asked = threading.Event()

    def convert(*args, beat, **more):
        asked.set()
        while True:
            beat()
    monkeypatch.setattr("common.conversion.convert", convert)
    manager, ctx = Manager(service), context.service_context()
    service.notify = lambda *a: None
    manager.upload_volume(ctx, VOLUME)
    assert asked.wait(20)
    say(service, status="deleting")
    manager.delete_volume(ctx, VOLUME)

    def gone() -> bool:
        with service.db.reader() as connection:
            return connection.execute(models.volumes.select()).first() is None
    wait_for(gone, 20, every_s=0.01, what="the delete")
    assert IMAGE not in service.rest.known and not service.tasks.pending()


@pytest.fixture
def call(service):
    service.rest.known.clear()
    service.policy, service.agents, service.send = unittest.mock.Mock(), unittest.mock.Mock(), lambda work, *args: work(*args)
    service.conf = types.SimpleNamespace(volume=types.SimpleNamespace(enable_force_upload=False))
    return types.SimpleNamespace(ctx=Context(project_id="owner"), version=(3, 68), svc=service)


def test_who_comes_too_late_leaves_no_image(call, monkeypatch):
    """Another request gets the volume between the check and the beginning."""
    known = call.svc.rest.request

    def request(method, *args, **more):
        found = known(method, *args, **more)
        if method == "POST":
            say(call.svc, status="deleting")
        return found
    monkeypatch.setattr(call.svc.rest, "request", request)
    with pytest.raises(errors.BadRequest, match="status must be available"):
        service_of_api.upload(call, VOLUME, {"image_name": "a", "protected": True})
    assert call.svc.rest.made == 1 and not call.svc.rest.known and not call.svc.agents.upload_volume.called


def test_a_volume_that_cannot_be_uploaded_makes_no_image(call):
    say(call.svc, status="error")
    with pytest.raises(errors.BadRequest):
        service_of_api.upload(call, VOLUME, {"image_name": "a", "force": True})
    assert call.svc.rest.made == 0


@pytest.mark.parametrize("give_up", [
    lambda call: actions.reset_status(call, VOLUME, {"status": "available"}), lambda call: actions.force_delete(call, VOLUME, {}),
    lambda call: services_volumes.delete(call, VOLUME, force=True, cascade=False)])
@pytest.mark.parametrize("status", ["queued", "active"])
def test_an_upload_that_is_given_up_before_its_host_began_leaves_no_image(call, give_up, status):
    """One that has got its data stays."""
    call.svc.notifier = unittest.mock.Mock()
    image = service_of_api.upload(call, VOLUME, {"image_name": "a", "protected": True})["image"]["id"]
    call.svc.rest.known[image]["status"] = status
    give_up(call)
    assert list(call.svc.rest.known) == ([image] if status == "active" else [])


@pytest.mark.parametrize(("error", "answer"), [(errors.Forbidden("a property"), errors.BadRequest), (
    errors.ServiceUnavailable(part="the image service"), errors.ServiceUnavailable)])
def test_an_image_service_that_refuses(call, monkeypatch, error, answer):
    monkeypatch.setattr(call.svc.rest, "request", unittest.mock.Mock(side_effect=error))
    with pytest.raises(answer):
        service_of_api.upload(call, VOLUME, {"image_name": "a"})
    assert shown(call.svc)["status"] == "available"


def test_the_size_of_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert images.size_of(tmp_path / "a") == 3
