"""Volumes and snapshots, through the volume service: for the volume proxy, until microversion 2.35.

Each function checks the proxy's rule; the volume service checks its own with the caller's token.
"""

from common import errors
from common.calls import Call
from common.rest import Path, path
from compute_api import access


def _request(call: Call, rule: str, method: str, where: Path, body=None):
    """:raises Forbidden: the rule, the volume service or a quota refuses"""
    access.check(call, rule)
    try:
        return call.svc.rest.request(method, "volume", where, body=body, ctx=call.ctx)
    except errors.TooLarge as error:
        raise errors.Forbidden(str(error)) from None


def page(call: Call, rule: str, kind: str, limit: int, offset: int) -> list[dict]:
    """:param kind: "volumes" or "snapshots", as in the functions below "volume" or "snapshot\""""
    return _request(call, rule, "GET", path("/v3/{}/detail", kind, query={"limit": limit, "offset": offset}))[kind]


def show(call: Call, rule: str, kind: str, id: str) -> dict:
    return _request(call, rule, "GET", path("/v3/{}/{id}", kind + "s", id))[kind]


def create(call: Call, rule: str, kind: str, values: dict) -> dict:
    return _request(call, rule, "POST", path("/v3/{}", kind + "s"), {kind: values})[kind]


def delete(call: Call, rule: str, kind: str, id: str) -> None:
    _request(call, rule, "DELETE", path("/v3/{}/{id}", kind + "s", id))
