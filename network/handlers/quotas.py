"""Quotas of projects. Whoever works in a project may see its quotas; of others, rules decide."""

from common import errors, rows, schema, wsgi
from network.db import models, quotas


def _check_reader(req, target: str) -> None:
    if target != req.ctx.project_id:
        req.svc.policy.check(req.ctx, "get_quota", {"project_id": target})


def index(req):
    """The projects that have quotas of their own."""
    req.svc.policy.check(req.ctx, "get_quota", {})
    with req.svc.db.reader() as connection:
        own = rows.select(connection, models.quotas, order_by="project_id")
    by: dict[str, dict] = {}
    for row in own:
        by.setdefault(row["project_id"], {})[row["resource"]] = row["limit"]
    usual = {r: getattr(req.svc.conf.quota, r) for r in quotas.QUOTA_RESOURCES}
    return {"quotas": [{**usual, **limits, "project_id": p, "tenant_id": p} for p, limits in by.items()]}


def show(req, target):
    if target in ("tenant", "project"):  # asked by clients to learn which project they work in
        if not req.ctx.project_id:
            raise errors.BadRequest("Tenant-id was missing from quota request.", kind="QuotaMissingTenant")
        return {target: {f"{target}_id": req.ctx.project_id}}
    _check_reader(req, target)
    with req.svc.db.reader() as connection:
        return {"quota": quotas.limits(connection, req.svc.conf, target)}


def details(req, target):
    _check_reader(req, target)
    with req.svc.db.reader() as connection:
        limits = quotas.limits(connection, req.svc.conf, target)
        return {"quota": {r: {"limit": v, "used": quotas.used(connection, r, target), "reserved": 0}
                          for r, v in limits.items()}}


def default(req, target):
    _check_reader(req, target)
    return {"quota": {r: getattr(req.svc.conf.quota, r) for r in quotas.QUOTA_RESOURCES}}


@wsgi.body(schema.obj({"quota": schema.obj({
    "force": schema.BOOLEAN, "check_limit": schema.BOOLEAN, **{r: schema.integer(-1) for r in quotas.QUOTA_RESOURCES}},
    extra=True)}, ["quota"]))
def update(req, target, body):
    req.svc.policy.check(req.ctx, "update_quota", {"project_id": target})
    given = dict(body["quota"])
    force = wsgi.bool_value(given.pop("force", False))
    given.pop("check_limit", None)  # what is asked for by it is what is done unless it is forced
    unknown = set(given) - set(quotas.QUOTA_RESOURCES)
    if unknown:
        raise errors.BadRequest(f"Unrecognized attribute(s) '{', '.join(sorted(unknown))}'", kind="HTTPBadRequest")
    return req.svc.db.transact(_store, req, target, {k: int(v) for k, v in given.items()}, force)


def _store(connection, req, target, limits: dict[str, int], force: bool) -> dict:
    """:raises BadRequest: more is in use than a new limit allows, and it is not forced"""
    for resource, limit in limits.items():
        used = 0 if force or limit < 0 else quotas.used(connection, resource, target)
        if used > limit >= 0:
            raise errors.BadRequest(f"Quota limit {limit} for {resource} must be greater than or equal to already used {used}",
                                    kind="HTTPBadRequest")
    quotas.store(connection, target, limits)
    return {"quota": quotas.limits(connection, req.svc.conf, target)}


def delete(req, target):
    req.svc.policy.check(req.ctx, "delete_quota", {"project_id": target})
    with req.svc.db.writer() as connection:
        quotas.reset(connection, target)
