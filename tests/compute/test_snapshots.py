"""Images of servers' disks."""

import types

import pytest

from common import errors
from compute_agent.tasks.snapshot import Snapshot


def test_an_image_that_was_deleted_since_it_was_uploaded_is_no_failure():
    def request(method, service, where):
        raise errors.NotFound("No image found with ID 1")
    conf = types.SimpleNamespace(agent=types.SimpleNamespace(build_retry_s=1))
    agent = types.SimpleNamespace(conf=conf, rest=types.SimpleNamespace(request=request))
    Snapshot(agent).rotate({"uuid": "2", "image_id": "1"})


class Images:
    """The image service with backups, of which the oldest comes last: {id: whether it is protected}."""

    def __init__(self, **known: bool):
        self.known = known

    def request(self, method, service, where, **more):
        id = str(where).partition("?")[0].removeprefix("/v2/images").strip("/")
        if not id:
            return {"images": [{"id": i, "owner": "p", "protected": protected} for i, protected in self.known.items()]}
        if method == "DELETE":
            if self.known[id]:
                raise errors.Forbidden("It is protected and cannot be deleted.")
            del self.known[id]
        if method == "PATCH":
            self.known[id] = False
        return {"id": id, "owner": "p", "image_type": "backup", "backup_type": "daily", "backup_rotation": "1"}


def task(found: Images) -> Snapshot:
    conf = types.SimpleNamespace(agent=types.SimpleNamespace(build_retry_s=1))
    return Snapshot(types.SimpleNamespace(conf=conf, rest=types.SimpleNamespace(request=found.request)))


IDS = [f"{n:08}-4444-4444-8444-444444444444" for n in range(3)]


def test_a_rotation_leaves_what_is_protected():
    found = Images(**{IDS[0]: False, IDS[1]: True, IDS[2]: False})
    task(found).rotate({"uuid": "2", "image_id": IDS[0]})
    assert list(found.known) == IDS[:2]


@pytest.mark.parametrize("protected", [False, True])
def test_an_image_that_is_not_to_be_is_deleted_also_if_it_is_protected(protected):
    found = Images(**{IDS[0]: protected})
    task(found).undo_freeze({"uuid": "2", "image_id": IDS[0], "vm_state": "stopped"})
    assert not found.known
