"""The sweep: what it sends again, and to whom not."""

import types
import unittest.mock

from common import db
from common.db import Database
from conductor.db import models
from conductor.sweep import Sweep, local_delete
from tests.compute.test_guests import ROW as SERVER

ROW = {"uuid": "11111111-1111-4111-8111-111111111111", "project_id": "owner", "host": "node1", "vm_state": "active",
       "task_state": "image_snapshot", "request_id": "req-1"}


def pushed(images: list[dict]):
    """What the sweep asked of agent and conductor for a server that waits for its image, with these images there."""
    service = types.SimpleNamespace(rest=unittest.mock.Mock(), agents=unittest.mock.Mock(), endpoint=unittest.mock.Mock())
    service.rest.request.return_value = {"images": images}
    Sweep(service)._snapshot(None, ROW, True)
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
            **SERVER, "requested_networks": [{"uuid": "n", "port": own}, {"uuid": "n"}]}, uuid=uuid, vm_state="active",
            task_state="deleting", power_state=1, host="down", created_at=db.now(), updated_at=db.now()))
        for letter, volume in (("a", goes), ("b", stays)):
            # Neither has reported its attachment: the host went down while it was made.
            connection.execute(models.block_devices.insert().values(
                id=letter, instance_uuid=uuid, device_name=f"/dev/vd{letter}", volume_id=volume, attachment_id=None,
                delete_on_termination=volume == goes))
    asked = []

    def request(method, service, path, **more):
        asked.append((method, str(path).partition("?")[0], more.get("body")))
        return {"ports": [{"id": own}, {"id": made}], "attachments": [{"id": goes}, {"id": stays}]}
    local_delete(types.SimpleNamespace(db=database, rest=types.SimpleNamespace(request=request)), None, uuid)
    assert [a for a in asked if a[0] != "GET"] == [
        ("PUT", f"/v2.0/ports/{own}", {"port": {"device_id": "", "device_owner": "", "binding:host_id": ""}}),
        ("DELETE", f"/v2.0/ports/{made}", None), ("DELETE", f"/v3/attachments/{goes}", None),
        ("DELETE", f"/v3/attachments/{stays}", None), ("DELETE", f"/v3/volumes/{goes}", None)]
    with database.reader() as connection:
        assert connection.execute(models.instances.select()).first() is None


def test_a_row_that_cannot_be_handled_does_not_keep_the_others_waiting():
    """A new task state, a poisoned value: whatever it raises, the next row gets its turn."""
    done: list[str] = []

    def work(ctx, row):
        if row["uuid"] == "bad":
            next(iter(()))
        done.append(row["uuid"])
    for uuid in ("bad", "good"):
        Sweep._each({**ROW, "uuid": uuid}, uuid, work)
    assert done == ["good"]
