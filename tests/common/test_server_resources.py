"""What is given back with a server."""

import pytest

from common import errors, server_resources

VOLUME = "11111111-1111-4111-8111-111111111111"
SERVER = {"uuid": "22222222-2222-4222-8222-222222222222", "block_devices": [
    {"volume_id": VOLUME, "attachment_id": "33333333-3333-4333-8333-333333333333", "delete_on_termination": True}]}


class Volumes:
    """A volume service that refuses to delete a volume in this state, as Cinder and ours do."""

    def __init__(self, status: str):
        self.status, self.deleted = status, False

    def request(self, method, service, where, **_):
        if method == "DELETE" and "/volumes/" in where:
            if self.status == "gone":
                raise errors.NotFound("no volume")
            if self.status != "available":
                raise errors.BadRequest(f"Volume status must be available, but is {self.status}.")
            self.deleted = True
        return {"volume": {"status": self.status}, "attachments": []}


@pytest.mark.parametrize("status", ["creating", "downloading", "extending", "uploading"])
def test_a_volume_that_is_being_created_is_deleted_afterwards(status):
    """It was left to its owner, who knows of none."""
    service = Volumes(status)
    with pytest.raises(errors.ServiceUnavailable, match=f"{VOLUME}, which is {status}"):
        server_resources.release_volumes(service, SERVER)
    service.status = "available"
    server_resources.release_volumes(service, SERVER)
    assert service.deleted


@pytest.mark.parametrize("status", ["gone", "deleting", "in-use", "error_extending", "maintenance"])
def test_a_volume_that_cannot_go_keeps_no_server(status):
    """One with snapshots, or that another server has."""
    service = Volumes(status)
    server_resources.release_volumes(service, SERVER)
    assert not service.deleted
