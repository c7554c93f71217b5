"""The password that a guest made and posted to its metadata service; encrypted there, with its owner's key."""


from common import errors
from compute_api.services import server_password

LIMIT = 1020  # bytes, as in OpenStack


def show(req, id):
    row = server_password.show(req.call, id)
    return {"password": row["posted_password"] or ""}


def clear(req, id):
    """Forget the password, here; the guest's own is not changed."""
    server_password.clear(req.call, id)


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
    server_password.post(service, uuid, text)
