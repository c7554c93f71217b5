"""What a deletion does to images of the server that its host has not begun to upload."""

import contextlib
import types
import urllib.parse

import pytest

from common import errors
from common.calls import Call
from common.context import Context
from compute_api import access, deletion

IMAGE = "11111111-2222-4333-8444-555555555555"
ROW = {"uuid": "u", "project_id": "p", "host": "here", "locked": False}


class Images:
    """The image service, with a queued image of the server."""

    def __init__(self, away: bool = False):
        self.away = away
        self.deleted: list[str] = []
        self.queries: list[dict] = []

    def request(self, method, service, where, ctx=None, **more):
        assert service == "image" and ctx is not None, "as the user"
        if self.away:
            raise errors.ServiceUnavailable(part="the image service")
        if method == "DELETE":
            self.deleted.append(where)
            return {}
        self.queries.append(dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(where).query)))
        return {"images": [{"id": IMAGE, "owner": "p", "status": "queued"}]}


def delete(monkeypatch, task_state: str | None, images: Images) -> list[str]:
    """The requests that were sent to the host."""
    sent: list[str] = []
    monkeypatch.setattr(access, "server", lambda *a: {**ROW, "task_state": task_state})
    monkeypatch.setattr(access, "check_lock", lambda *a: None)
    monkeypatch.setattr(deletion.deletion, "begin", lambda *a: (deletion.deletion.HOST, {}))
    monkeypatch.setattr(deletion.instances, "notification_payload", lambda row: {})
    svc = types.SimpleNamespace(
        db=types.SimpleNamespace(writer=contextlib.nullcontext), rest=images,
        conf=types.SimpleNamespace(service_down_time=60, compute=types.SimpleNamespace(reclaim_instance_interval=0)),
        notifier=types.SimpleNamespace(notify=lambda *a: None), agents=types.SimpleNamespace(delete="delete"),
        send=lambda method, *a: sent.append(method))
    deletion.delete(Call(svc, Context(user_id="me")), "u", "rule")
    return sent


@pytest.mark.parametrize("task_state", ["image_snapshot", "image_backup"])
def test_a_queued_image_is_deleted_with_its_server(monkeypatch, task_state):
    images = Images()
    assert delete(monkeypatch, task_state, images) == ["delete"]
    assert images.queries == [{"instance_uuid": "u", "owner": "p", "status": "queued"}]
    assert images.deleted == [f"/v2/images/{IMAGE}"]


def test_no_other_deletion_asks_for_images(monkeypatch):
    images = Images()
    delete(monkeypatch, None, images)
    assert not images.queries and not images.deleted


def test_a_server_is_deleted_while_the_image_service_is_away(monkeypatch):
    assert delete(monkeypatch, "image_snapshot", Images(away=True)) == ["delete"]
