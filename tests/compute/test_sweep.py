"""The sweep: what it sends again, and to whom not."""

import types
import unittest.mock

from conductor.sweep import Sweep

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
