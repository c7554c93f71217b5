"""Limits and quotas of projects."""

from common import wsgi
from volume import access
from volume.conf import QUOTA_RESOURCES
from volume.schemas import limits as schemas
from volume.services import quotas


def show(req):
    """An administrator may ask for another project's limits (3.39); for others the parameter is ignored."""
    project = req.ctx.project_id
    if access.owner(req.call) is None and req.version >= (3, 39):
        project = req.GET.get("project_id", req.GET.get("tenant_id", project))
    limit, used = quotas.of_project(req.call, project)
    shown = {"maxTotalVolumes": limit["volumes"], "maxTotalVolumeGigabytes": limit["gigabytes"],
             "maxTotalSnapshots": limit["snapshots"], "maxTotalBackups": 0, "maxTotalBackupGigabytes": 0}
    if req.svc.policy.allows(req.ctx, "limits_extension:used_limits"):
        shown.update(totalVolumesUsed=used["volumes"], totalGigabytesUsed=used["gigabytes"],
                     totalSnapshotsUsed=used["snapshots"], totalBackupsUsed=0, totalBackupGigabytesUsed=0)
    return {"limits": {"rate": [], "absolute": shown}}


def quota(req, target):
    limit, used = quotas.show(req.call, target)
    if wsgi.bool_value(req.GET.get("usage", "false")):
        shown: dict = {r: {"limit": v, "in_use": used.get(r, 0), "reserved": 0, "allocated": 0}
                       for r, v in limit.items()}
    else:
        shown = dict(limit)
    return {"quota_set": {"id": target, **shown}}


def quota_defaults(req, target):
    req.svc.policy.check(req.ctx, "volume_extension:quotas:show", {"project_id": target})
    return {"quota_set": {"id": target, **{r: getattr(req.svc.conf.quota, r) for r in QUOTA_RESOURCES}}}


@wsgi.body(schemas.QUOTA_UPDATE)
def quota_update(req, target, body):
    given = {r: most for r, most in body["quota_set"].items() if r in QUOTA_RESOURCES}
    return {"quota_set": quotas.update(req.call, target, given)}


def quota_delete(req, target):
    quotas.delete(req.call, target)
    return wsgi.Response(status=200)
