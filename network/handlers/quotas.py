"""Quotas of projects."""

from common import errors, schema, wsgi
from network.db import quotas


def show(req, target):
    req.svc.policy.check(req.ctx, "get_quota", {"project_id": target})
    with req.svc.db.reader() as connection:
        return {"quota": quotas.limits(connection, req.svc.conf, target)}


def details(req, target):
    req.svc.policy.check(req.ctx, "get_quota", {"project_id": target})
    with req.svc.db.reader() as connection:
        limits = quotas.limits(connection, req.svc.conf, target)
        return {"quota": {r: {"limit": v, "used": quotas.used(connection, r, target), "reserved": 0}
                          for r, v in limits.items()}}


def default(req, target):
    req.svc.policy.check(req.ctx, "get_quota", {"project_id": target})
    return {"quota": {r: getattr(req.svc.conf.quota, r) for r in quotas.QUOTA_RESOURCES}}


@wsgi.body(schema.obj({"quota": schema.obj({r: schema.integer(-1)
                                            for r in quotas.QUOTA_RESOURCES}, extra=True)}, ["quota"]))
def update(req, target, body):
    req.svc.policy.check(req.ctx, "update_quota", {"project_id": target})
    unknown = set(body["quota"]) - set(quotas.QUOTA_RESOURCES)
    if unknown:
        raise errors.BadRequest(f"Unrecognized attribute(s) '{', '.join(sorted(unknown))}'")
    with req.svc.db.writer() as connection:
        quotas.store(connection, target, {k: int(v) for k, v in body["quota"].items()})
        return {"quota": quotas.limits(connection, req.svc.conf, target)}


def delete(req, target):
    req.svc.policy.check(req.ctx, "update_quota", {"project_id": target})
    with req.svc.db.writer() as connection:
        quotas.reset(connection, target)
