"""Quotas of projects."""

from common import errors, wsgi
from network.schemas import quotas as schemas
from network.services import quotas


def index(req):
    return {"quotas": [{**limits, "project_id": p, "tenant_id": p} for p, limits in quotas.index(req.call).items()]}


def show(req, target):
    if target in ("tenant", "project"):  # clients use this to learn the project of their token
        if not req.ctx.project_id:
            raise errors.BadRequest("Tenant-id was missing from quota request.", kind="QuotaMissingTenant")
        return {target: {f"{target}_id": req.ctx.project_id}}
    return {"quota": quotas.show(req.call, target)}


def details(req, target):
    return {"quota": quotas.details(req.call, target)}


def default(req, target):
    return {"quota": quotas.default(req.call, target)}


@wsgi.body(schemas.UPDATE)
def update(req, target, body):
    given = dict(body["quota"])
    force = wsgi.bool_value(given.pop("force", False))
    given.pop("check_limit", None)  # checking is the default, unless forced
    return {"quota": quotas.update(req.call, target, given, force=force)}


def delete(req, target):
    quotas.delete(req.call, target)
