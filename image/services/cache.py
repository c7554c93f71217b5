"""What is cached on this host."""

from common.calls import Call
from image import access


def image(call: Call, id: str) -> dict:
    """The image that is to be cached or not, whose rules are the cache's."""
    with call.svc.db.reader() as connection:
        return access.image(call, connection, id)
