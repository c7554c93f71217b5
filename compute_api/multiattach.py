"""Volumes that several servers may use at once.

A multiattach volume is in use before and after one more server gets it, so its status must say at once what is in progress: the
attachment is reserved, and a detachment announced, during the request. Other volumes are reserved by the server's host.
"""

from common import errors
from common.calls import Call
from common.rest import path
from common.server_resources import VOLUME_VERSION

_SINCE = (2, 60)


def check(call: Call, volume: dict) -> None:
    """:raises BadRequest: the volume is multiattach, and the request's microversion is too old"""
    if volume["multiattach"] and call.version < _SINCE:
        raise errors.BadRequest("Multiattach volumes are only supported starting with compute API version 2.60.")


def usable_statuses(volume: dict) -> tuple[str, ...]:
    """The statuses in which a volume can be attached to another server."""
    return ("available", "in-use") if volume["multiattach"] else ("available",)


def reserve(call: Call, uuid: str, volume_id: str) -> None:
    """Reserve an attachment, as the user; the server's host connects it.

    :raises BadRequest: another attachment or detachment of the volume is in progress
    """
    body = {"attachment": {"volume_uuid": volume_id, "instance_uuid": uuid}}
    call.svc.rest.request("POST", "volume", path("/v3/attachments"), body=body, headers=VOLUME_VERSION, ctx=call.ctx)


def begin_detaching(call: Call, volume_id: str) -> None:
    """:raises BadRequest: another attachment or detachment of the volume is in progress"""
    call.svc.rest.request("POST", "volume", path("/v3/volumes/{id}/action", volume_id), body={"os-begin_detaching": {}},
                          ctx=call.ctx)
