"""Quotas of projects. Users may see those of their own project; for others, policies decide."""

from common import errors, rows
from common.calls import Call
from network.db import models, quotas


def _check_reader(call: Call, target: str) -> None:
    if target != call.ctx.project_id:
        call.svc.policy.check(call.ctx, "get_quota", {"project_id": target})


def index(call: Call) -> dict[str, dict]:
    """{project: its limits} of the projects with quotas of their own."""
    call.svc.policy.check(call.ctx, "get_quota", {})
    with call.svc.db.reader() as connection:
        own = rows.select(connection, models.quotas, order_by="project_id")
    found: dict[str, dict] = {}
    for row in own:
        found.setdefault(row["project_id"], quotas.defaults(call.svc.conf))[row["resource"]] = row["limit"]
    return found


def show(call: Call, target: str) -> dict:
    _check_reader(call, target)
    with call.svc.db.reader() as connection:
        return quotas.limits(connection, call.svc.conf, target)


def details(call: Call, target: str) -> dict:
    """{resource: {"limit", "used", "reserved"}}"""
    _check_reader(call, target)
    with call.svc.db.reader() as connection:
        limits = quotas.limits(connection, call.svc.conf, target)
        return {r: {"limit": v, "used": quotas.used(connection, r, target), "reserved": 0} for r, v in limits.items()}


def default(call: Call, target: str) -> dict:
    _check_reader(call, target)
    return quotas.defaults(call.svc.conf)


def update(call: Call, target: str, given: dict, *, force: bool) -> dict:
    """:param given: {resource: limit}, as the client sent it
    :raises BadRequest: no such resource; or usage exceeds a new limit, and the request is not forced
    """
    call.svc.policy.check(call.ctx, "update_quota", {"project_id": target})
    if unknown := set(given) - set(quotas.QUOTA_RESOURCES):
        raise errors.BadRequest(f"Unrecognized attribute(s) '{', '.join(sorted(unknown))}'", kind="HTTPBadRequest")
    return call.svc.db.transact(_store, call, target, {k: int(v) for k, v in given.items()}, force)


def _store(connection, call: Call, target: str, limits: dict[str, int], force: bool) -> dict:
    for resource, limit in limits.items():
        used = 0 if force or limit < 0 else quotas.used(connection, resource, target)
        if used > limit >= 0:
            raise errors.BadRequest(f"Quota limit {limit} for {resource} must be greater than or equal to already used {used}",
                                    kind="HTTPBadRequest")
    quotas.store(connection, target, limits)
    return quotas.limits(connection, call.svc.conf, target)


def delete(call: Call, target: str) -> None:
    call.svc.policy.check(call.ctx, "delete_quota", {"project_id": target})
    with call.svc.db.writer() as connection:
        quotas.reset(connection, target)
