"""Images of servers' disks."""

import types

from common import errors
from compute_agent.tasks.snapshot import Snapshot


def test_an_image_that_was_deleted_since_it_was_uploaded_is_no_failure():
    def request(method, service, where):
        raise errors.NotFound("No image found with ID 1")
    conf = types.SimpleNamespace(agent=types.SimpleNamespace(build_retry_s=1))
    agent = types.SimpleNamespace(conf=conf, rest=types.SimpleNamespace(request=request))
    Snapshot(agent).rotate({"uuid": "2", "image_id": "1"})
