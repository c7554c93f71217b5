"""The reconciler: what it sends again, and to whom not."""

import datetime
import types
import unittest.mock

from common import context, db
from common.db import Database
from conductor.db import models
from conductor.pending_work import PendingWorkReconciler, local_delete
from tests.compute.test_guests import ROW as SERVER

ROW = {"uuid": "11111111-1111-4111-8111-111111111111", "project_id": "owner", "host": "node1", "vm_state": "active",
       "task_state": "image_snapshot", "request_id": "req-1"}


def pushed(images: list[dict]):
    """What the reconciler asked of agent and conductor for a server that waits for its image, with these images there."""
    service = types.SimpleNamespace(rest=unittest.mock.Mock(), agents=unittest.mock.Mock(), endpoint=unittest.mock.Mock())
    service.rest.request.return_value = {"images": images}
    PendingWorkReconciler(service)._snapshot(None, ROW, True)
    return [c.args[-1] for c in service.agents.snapshot.mock_calls], [c[0] for c in service.endpoint().mock_calls]


def test_a_disk_goes_into_an_image_of_its_own_project_only():
    """Anybody can write the id of a stranger's server into an image of his."""
    foreign, own = {"id": "f", "owner": "stranger", "status": "queued"}, {"id": "o", "owner": "owner", "status": "queued"}
    assert pushed([foreign]) == ([], ["fail"])
    assert pushed([foreign, own]) == (["o"], [])
    assert pushed([{**own, "status": "saving"}]) == ([], [])


def test_a_delete_without_the_host_keeps_what_is_the_owners_and_leaves_nothing_else(tmp_path):
    database = Database("compute", f"sqlite:///{tmp_path}/c.sqlite")
    models.METADATA.create_all(database.engine)
    uuid, own, made, goes, stays = (f"1111111{n}-1111-4111-8111-111111111111" for n in range(5))
    with database.writer() as connection:
        connection.execute(models.instances.insert().values(**{
            **SERVER, "requested_networks": [{"uuid": "n", "port": own}, {"uuid": "n"}],
            "flavor": {"name": "small", "id": 1, "disk": 1, "ephemeral": 0}}, uuid=uuid, vm_state="active",
            task_state="deleting", power_state=1, host="down", created_at=db.now(), updated_at=db.now()))
        for letter, volume in (("a", goes), ("b", stays)):
            # Neither has reported its attachment: the host went down while it was made.
            connection.execute(models.block_devices.insert().values(
                id=letter, instance_uuid=uuid, device_name=f"/dev/vd{letter}", volume_id=volume, attachment_id=None,
                delete_on_termination=volume == goes))
    asked = []

    def request(method, service, path, **more):
        asked.append((method, str(path).partition("?")[0], more.get("body")))
        volume = next((v for v in (goes, stays) if f"volume_id={v}" in str(path)), None)
        return {"ports": [{"id": own}, {"id": made}], "attachments": [{"id": volume}]}
    notifier = unittest.mock.Mock()
    service = types.SimpleNamespace(db=database, rest=types.SimpleNamespace(request=request), notifier=notifier)
    ctx = context.service_context(request_id="req-1", project_id="p")
    local_delete(service, ctx, uuid)
    assert [a for a in asked if a[0] != "GET"] == [
        ("PUT", f"/v2.0/ports/{own}", {"port": {"device_id": "", "device_owner": "", "binding:host_id": ""}}),
        ("DELETE", f"/v2.0/ports/{made}", None), ("DELETE", f"/v3/attachments/{goes}", None),
        ("DELETE", f"/v3/volumes/{goes}", None), ("DELETE", f"/v3/attachments/{stays}", None)]
    with database.reader() as connection:
        assert connection.execute(models.instances.select()).first() is None
        assert connection.execute(models.block_devices.select()).first() is None
        (kept,) = connection.execute(models.deleted_instances.select()).mappings().all()
        events = connection.execute(models.instance_events.select()).mappings().all()
    assert (kept["uuid"], kept["host"], kept["vm_state"]) == (uuid, "down", "deleted")
    assert [(e["request_id"], e["event"], e["result"]) for e in events] == [
        ("req-1", "terminate_network", "Success"), ("req-1", "terminate_volumes", "Success")]
    assert [c.args[1] for c in notifier.notify.mock_calls] == ["compute.instance.delete.end"]
    asked.clear()
    local_delete(service, ctx, uuid)
    assert not asked and len(notifier.notify.mock_calls) == 1, "a server that is deleted is not deleted again"


def test_a_task_state_that_it_does_not_know_is_complained_of_once(tmp_path, caplog):
    """It may be of a newer release. The server stays as it is, and the others get their turn."""
    database = Database("compute", f"sqlite:///{tmp_path}/c.sqlite")
    models.METADATA.create_all(database.engine)
    conf = types.SimpleNamespace(compute=types.SimpleNamespace(build_resend_s=-1), service_down_time=60)
    service = types.SimpleNamespace(db=database, conf=conf, agents=unittest.mock.Mock())
    at = db.now() - datetime.timedelta(minutes=1)
    with database.writer() as connection:
        connection.execute(models.services.insert().values(
            id="1", host="node1", binary="nova-compute", zone="nova", disabled=False, forced_down=False, updated_at=db.now()))
        for n, task in enumerate(("growing-wings", "pausing")):
            connection.execute(models.instances.insert().values(**{
                **SERVER, "uuid": f"1111111{n}-1111-4111-8111-111111111111", "vm_state": "active", "task_state": task,
                "power_state": 1, "host": "node1", "created_at": at, "updated_at": at}))
    reconciler = PendingWorkReconciler(service)
    for _ in range(2):
        reconciler.run_once()
    assert [c.args[-1] for c in service.agents.power.mock_calls] == ["pause", "pause"]
    assert [r.message for r in caplog.records if "growing-wings" in r.message and r.levelname != "INFO"] == [
        "servers have been in the unknown task state growing-wings for too long"]
    assert "Traceback" not in caplog.text


def test_conductors_share_what_is_stuck(tmp_path):
    """While one is at its first row, the other makes a whole pass: each server and each volume is asked for once."""
    database = Database("compute", f"sqlite:///{tmp_path}/c.sqlite")
    models.METADATA.create_all(database.engine)
    conf = types.SimpleNamespace(compute=types.SimpleNamespace(build_resend_s=1), service_down_time=60)
    service = types.SimpleNamespace(db=database, conf=conf, agents=unittest.mock.Mock())
    at = db.now() - datetime.timedelta(minutes=1)
    with database.writer() as connection:
        connection.execute(models.services.insert().values(
            id="1", host="node1", binary="nova-compute", zone="nova", disabled=False, forced_down=False, updated_at=db.now()))
        for n in range(4):
            uuid = f"1111111{n}-1111-4111-8111-111111111111"
            connection.execute(models.instances.insert().values(**{
                **SERVER, "uuid": uuid, "vm_state": "active", "task_state": "pausing", "power_state": 1, "host": "node1",
                "created_at": at, "updated_at": at}))
            connection.execute(models.block_devices.insert().values(
                id=uuid, instance_uuid=uuid, device_name="/dev/vdb", volume_id=uuid, delete_on_termination=False,
                requested_action="attach", requested_at=at, request_id="r"))
    asked, other = [], PendingWorkReconciler(service)

    def ask(ctx, host, uuid, *what):
        asked.append(uuid[:8])
        if len(asked) == 1:
            other.run_once()
    service.agents.power = service.agents.attach_volume = ask
    PendingWorkReconciler(service).run_once()
    assert sorted(asked) == sorted(2 * [f"1111111{n}" for n in range(4)])
