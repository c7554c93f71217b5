"""The password that a guest generated and posted to the metadata service, encrypted with its owner's key."""


from common import errors
from compute_api.services import server_password

LIMIT = 1020  # bytes, as in OpenStack


def show(req, id):
    row = server_password.show(req.call, id)
    return {"password": row["posted_password"] or ""}


def clear(req, id):
    """Delete the stored password; that of the guest is not changed."""
    server_password.clear(req.call, id)


def post(service, uuid: str, body: bytes) -> None:
    """Store the password that a guest posts. It can be set once, until its owner clears it.

    :raises BadRequest: too long, or not text
    :raises Conflict: a password has been set already
    """
    if len(body) > LIMIT:
        raise errors.BadRequest("Request is too large.")
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError:
        raise errors.BadRequest("The password must be ASCII text.") from None
    server_password.post(service, uuid, text)
