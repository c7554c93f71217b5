"""The password that a guest made and posted to its metadata service; encrypted there, with its owner's key."""

from common import errors
from common.calls import Call
from compute_api import access
from conductor.db import instances


def show(call: Call, id: str) -> dict:
    """The server, which has it."""
    with call.svc.db.reader() as connection:
        return access.server(call, connection, id, "os_compute_api:os-server-password:show")


def clear(call: Call, id: str) -> None:
    with call.svc.db.writer() as connection:
        access.check_lock(call, access.server(call, connection, id, "os_compute_api:os-server-password:clear"))
        instances.write(connection, id, posted_password=None)


def post(service, uuid: str, text: str) -> None:
    """Keep what a guest posts. :raises Conflict: there is one already"""
    with service.db.writer() as connection:
        if not instances.post_password(connection, uuid, text):
            raise errors.Conflict("The password has been set already.")
