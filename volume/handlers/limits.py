"""Limits and quotas of projects."""

from common import errors, quotas, schema, wsgi
from volume import access
from volume.conf import QUOTA_RESOURCES
from volume.db import models, volumes


def show(req):
    """An administrator may ask for another project's (3.39); from others that is not read."""
    project = req.ctx.project_id
    if access.owner(req) is None and req.version >= (3, 39):
        project = req.GET.get("project_id", req.GET.get("tenant_id", project))
    with req.svc.db.reader() as connection:
        limit = volumes.limits(connection, req.svc.conf, project)
        used = volumes.usage(connection, project)
    shown = {"maxTotalVolumes": limit["volumes"], "maxTotalVolumeGigabytes": limit["gigabytes"],
             "maxTotalSnapshots": limit["snapshots"], "maxTotalBackups": 0, "maxTotalBackupGigabytes": 0}
    if req.svc.policy.allows(req.ctx, "limits_extension:used_limits"):
        shown.update(totalVolumesUsed=used["volumes"], totalGigabytesUsed=used["gigabytes"],
                     totalSnapshotsUsed=used["snapshots"], totalBackupsUsed=0, totalBackupGigabytesUsed=0)
    return {"limits": {"rate": [], "absolute": shown}}


def quota(req, target):
    req.svc.policy.check(req.ctx, "volume_extension:quotas:show", {"project_id": target})
    with req.svc.db.reader() as connection:
        limit = volumes.limits(connection, req.svc.conf, target)
        if wsgi.bool_value(req.GET.get("usage", "false")):
            used = volumes.usage(connection, target)
            shown: dict = {r: {"limit": v, "in_use": used.get(r, 0), "reserved": 0, "allocated": 0}
                           for r, v in limit.items()}
        else:
            shown = dict(limit)
    return {"quota_set": {"id": target, **shown}}


def quota_defaults(req, target):
    req.svc.policy.check(req.ctx, "volume_extension:quotas:show", {"project_id": target})
    return {"quota_set": {"id": target, **{r: getattr(req.svc.conf.quota, r) for r in QUOTA_RESOURCES}}}


@wsgi.body(schema.wrapped("quota_set", {
    "tenant_id": {}, "id": {}, **dict.fromkeys(QUOTA_RESOURCES, schema.integer(-1))}))
def quota_update(req, target, body):
    req.svc.policy.check(req.ctx, "volume_extension:quotas:update", {"project_id": target})
    given = {r: most for r, most in body["quota_set"].items() if r in QUOTA_RESOURCES}
    with req.svc.db.writer() as connection:
        quotas.hold(connection, target)
        used = volumes.usage(connection, target)
        for resource, most in given.items():
            if 0 <= most < used.get(resource, 0):
                raise errors.BadRequest(f"Quota {resource} limit must be equal or greater than existing resources. Current usage "
                                        f"is {used[resource]} and the requested limit is {most}.")
        quotas.store(connection, models.quotas, target, given)
        return {"quota_set": volumes.limits(connection, req.svc.conf, target)}


def quota_delete(req, target):
    req.svc.policy.check(req.ctx, "volume_extension:quotas:delete", {"project_id": target})
    req.svc.db.transact(quotas.reset, models.quotas, target)
    return wsgi.Response(status=200)
