"""Requests that have made something in another service, and then fail for a reason that nobody foresaw."""

import contextlib
import types

import pytest

from common import context, db, errors
from compute_api import devices
from compute_api.services import attachments, guests, server_images, shelving
from conductor.db import actions, instances, models
from tests.compute.test_guests import ROW as GUEST

ROW = {"uuid": "s", "display_name": "n", "host": None, "locked": False, "image_meta": {"id": "i", "properties": {}},
       "flavor": {"disk": 1}, "vm_state": "active", "task_state": None}


MADE, OTHER = "11111111-2222-4333-8444-555555555555", "11111111-2222-4333-8444-666666666666"


class Away(Exception):
    """As an error of the database's driver."""


class Rest:
    """Records the requests; a POST of a volume fails the second time."""

    def __init__(self):
        self.asked: list[tuple[str, str]] = []

    def request(self, method, service, where, **more):
        self.asked.append((method, f"{service} {where}"))
        if service == "volume" and str(where) == "/v3/volumes" and len(self.asked) > 1:
            raise Away
        return {"id": MADE, "attachment": {"id": MADE}, "volume": {"id": MADE, "multiattach": False}}


@pytest.fixture
def call(monkeypatch):
    def refuse(*args):
        raise Away
    for module in (server_images, shelving):
        monkeypatch.setattr(module.access, "server", lambda *args: ROW)
    database = types.SimpleNamespace(transact=refuse, reader=lambda: contextlib.nullcontext())
    return types.SimpleNamespace(svc=types.SimpleNamespace(db=database, rest=Rest()),
                                 ctx=types.SimpleNamespace(user_id="u"))


@pytest.mark.parametrize(("request_of", "last"), [
    (lambda call: shelving.shelve(call, "s"), ("DELETE", f"image /v2/images/{MADE}")),
    (lambda call: server_images.create(call, "s", {"name": "n"}, "rule", "image_snapshot", "createImage", {}),
     ("DELETE", f"image /v2/images/{MADE}")),
    (lambda call: attachments._reserve(call, ROW, {"id": "v", "multiattach": False}, {}),
     ("DELETE", f"volume /v3/attachments/{MADE}")),
    (lambda call: devices.make_volumes(call, [{"new": {"size": 1}}], 2), ("POST", f"volume /v3/volumes/{MADE}/action"))])
def test_what_was_made_is_removed(call, request_of, last):
    with pytest.raises(Away):
        request_of(call)
    assert call.svc.rest.asked[-1] == last


def test_the_history_says_that_a_host_did_not_set_a_password(tmp_path):
    def set_password(*args):
        raise errors.ServiceUnavailable(part="host one")
    database = db.Database("compute", f"sqlite:///{tmp_path}/c.sqlite")
    models.METADATA.create_all(database.engine)
    at, ctx = db.now(), context.service_context(project_id="p")
    with database.writer() as connection:
        connection.execute(models.instances.insert().values({
            **GUEST, "uuid": MADE, "host": "one", "power_state": 1, "vm_state": "active", "created_at": at, "updated_at": at,
            "image_meta": {"properties": {"hw_qemu_guest_agent": "yes"}}, "flavor": {"extra_specs": {}}}))
    asked = types.SimpleNamespace(ctx=ctx, svc=types.SimpleNamespace(
        db=database, agents=types.SimpleNamespace(set_password=set_password),
        policy=types.SimpleNamespace(check=lambda *args: None, is_admin=lambda ctx: True)))
    with pytest.raises(errors.ServiceUnavailable):
        guests.change_password(asked, MADE, "secret")
    with database.reader() as connection:
        assert "host one" in actions.find(connection, MADE, ctx.request_id)["message"]


@pytest.mark.parametrize("deleted", [False, True])
def test_a_server_without_a_host_keeps_a_volume_that_could_not_be_freed(tmp_path, deleted):
    """No other request waits for the volume service, and a server that is gone gets nothing back."""
    class Failing:
        def request(self, method, service, where, **more):
            assert getattr(database._local, "connection", None) is None, "a transaction is open"
            if deleted:
                with database.writer() as connection:
                    connection.execute(models.block_devices.delete())
                    connection.execute(models.instances.delete())
            raise errors.ServiceUnavailable(part="volume-api")
    database = db.Database("compute", f"sqlite:///{tmp_path}/c.sqlite")
    models.METADATA.create_all(database.engine)
    at, ctx = db.now(), context.service_context(project_id="p")
    device = {"id": "d", "instance_uuid": MADE, "volume_id": "v", "attachment_id": OTHER, "device_name": "/dev/vdb",
              "exclusive_volume_id": "v", "boot_index": None, "delete_on_termination": False, "tag": None,
              "requested_action": None, "requested_at": None, "request_id": "r"}
    with database.writer() as connection:
        connection.execute(models.instances.insert().values({
            **GUEST, "uuid": MADE, "host": None, "power_state": 4, "vm_state": "shelved_offloaded", "created_at": at,
            "updated_at": at}))
        connection.execute(models.block_devices.insert().values(device))
    asked = types.SimpleNamespace(ctx=ctx, svc=types.SimpleNamespace(
        db=database, rest=Failing(), policy=types.SimpleNamespace(check=lambda *args: None, is_admin=lambda ctx: True)))
    with pytest.raises(errors.ServiceUnavailable):
        attachments.delete(asked, MADE, "v")
    with database.reader() as connection:
        row = instances.find(connection, MADE)
        assert (row and row["block_devices"]) == (None if deleted else [device])
        if not deleted:
            assert "volume-api" in actions.find(connection, MADE, ctx.request_id)["message"]
