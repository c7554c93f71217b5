"""The password that a guest generated and posted to the metadata service, encrypted with its owner's key."""

from common import errors
from common.calls import Call
from compute_api import access
from conductor.db import instances


def show(call: Call, id: str) -> dict:
    """The server's row, which contains the password."""
    with call.svc.db.reader() as connection:
        return access.server(call, connection, id, "os_compute_api:os-server-password:show")


def clear(call: Call, id: str) -> None:
    with call.svc.db.writer() as connection:
        access.check_lock(call, access.server(call, connection, id, "os_compute_api:os-server-password:clear"))
        instances.write(connection, id, posted_password=None)


def post(service, uuid: str, text: str) -> None:
    """Store the password that a guest posts.

    :raises Conflict: a password has been set already
    """
    with service.db.writer() as connection:
        if not instances.post_password(connection, uuid, text):
            raise errors.Conflict("The password has been set already.")
