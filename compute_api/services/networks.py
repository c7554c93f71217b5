"""The networks that the network service shows to the caller, for the network proxies until microversion 2.35."""

from common import errors
from common.calls import Call
from common.rest import path
from compute_api import access


def index(call: Call, rule: str) -> list[dict]:
    """[{"id", "name"}]"""
    access.check(call, rule)
    where = path("/v2.0/networks", query={"fields": ["id", "name"]})
    return call.svc.rest.request("GET", "network", where, ctx=call.ctx)["networks"]


def show(call: Call, id: str, rule: str) -> dict:
    access.check(call, rule)
    try:
        return call.svc.rest.request("GET", "network", path("/v2.0/networks/{id}", id), ctx=call.ctx)["network"]
    except errors.NotFound:
        raise errors.NotFound("Network not found") from None
