"""Images that are cached on this host."""

from common.calls import Call
from image import access


def image(call: Call, id: str) -> dict:
    """The image to be cached or removed; the rules are those of the cache."""
    with call.svc.db.reader() as connection:
        return access.image(call, connection, id)
