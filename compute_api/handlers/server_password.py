"""The password that a guest made and posted to its metadata service; encrypted there, with its owner's key."""


from common import errors
from compute_api import access
from conductor.db import instances

LIMIT = 1020  # bytes, as in OpenStack


def show(req, id):
    with req.svc.db.reader() as connection:
        row = access.server(req, connection, id, "os_compute_api:os-server-password:show")
    return {"password": row["posted_password"] or ""}


def clear(req, id):
    """Forget the password, here; the guest's own is not changed."""
    with req.svc.db.writer() as connection:
        access.check_lock(req, access.server(req, connection, id, "os_compute_api:os-server-password:clear"))
        instances.write(connection, id, posted_password=None)


def post(service, uuid: str, body: bytes) -> None:
    """Keep what a guest posts: once, until its owner clears it.

    :raises BadRequest: too long, or no text
    :raises Conflict: there is one already
    """
    if len(body) > LIMIT:
        raise errors.BadRequest("Request is too large.")
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError:
        raise errors.BadRequest("The password must be ASCII text.") from None
    with service.db.writer() as connection:
        if not instances.post_password(connection, uuid, text):
            raise errors.Conflict("The password has been set already.")
