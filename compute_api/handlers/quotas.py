"""Quotas and limits of projects, and of users in them."""

from common import values, wsgi
from compute_api import access, microversions, projects
from compute_api.schemas import quotas as schemas
from compute_api.services import quotas
from compute_api.services.quotas import LEGACY
from conductor.db.quotas import DEFAULTS


def _user(req) -> str | None:
    """The user whose quota in the project a request is about; None: the project's.

    :raises BadRequest: it cannot be the id of a user
    """
    microversions.check_query(req.call, req.GET, ("user_id",))
    user_id = req.GET.get("user_id")
    return values.identifier(user_id, "query parameter user_id") if user_id else None


def show(req, target):
    req.svc.policy.check(req.ctx, "os_compute_api:os-quota-sets:show", {"project_id": target})
    user_id = _user(req)
    projects.check(req.call, target)
    limit = quotas.show(req.call, target, user_id)
    return {"quota_set": {"id": target, **limit}}


def detail(req, target):
    req.svc.policy.check(req.ctx, "os_compute_api:os-quota-sets:detail", {"project_id": target})
    user_id = _user(req)
    projects.check(req.call, target)
    limit, used = quotas.limits(req.call, target, user_id)
    return {"quota_set": {"id": target, **{r: {"limit": v, "in_use": used.get(r, 0), "reserved": 0}
                                           for r, v in limit.items()}}}


def defaults(req, target):
    req.svc.policy.check(req.ctx, "os_compute_api:os-quota-sets:defaults", {"project_id": target})
    projects.check(req.call, target)
    return {"quota_set": {"id": target, **quotas.defaults(req.call)}}


def chosen(req, given: dict, legacy: list[str]) -> dict:
    """The limits in a body that are to be stored.

    :param legacy: the resources of ``LEGACY`` in this microversion
    :raises BadRequest: it has no such resource
    """
    unknown = [k for k in given if k in LEGACY and k not in legacy]
    microversions.check_names(req.call, unknown, {}, dict.fromkeys(LEGACY, (2, 0)))
    return {k: int(v) for k, v in given.items() if k in DEFAULTS or k in LEGACY}


@wsgi.body(schemas.UPDATE)
def update(req, target, body):
    req.svc.policy.check(req.ctx, "os_compute_api:os-quota-sets:update", {"project_id": target})
    user_id = _user(req)
    projects.check(req.call, target)
    given = chosen(req, body["quota_set"], quotas.legacy(req.call))
    limits_now = quotas.update(req.call, target, given, user_id,
                               force=wsgi.bool_value(body["quota_set"].get("force", False)))
    return {"quota_set": limits_now}


def delete(req, target):
    req.svc.policy.check(req.ctx, "os_compute_api:os-quota-sets:delete", {"project_id": target})
    quotas.delete(req.call, target, _user(req))


def limits(req):
    req.svc.policy.check(req.ctx, "os_compute_api:limits", {})
    project = req.ctx.project_id
    microversions.check_query(req.call, req.GET, ("tenant_id", "reserved"))
    if "tenant_id" in req.GET:
        project = req.GET["tenant_id"]
        req.svc.policy.check(req.ctx, "os_compute_api:limits:other_project", access.own(req.call))
    limit, used = quotas.limits(req.call, project)
    absolute = {"maxTotalInstances": limit["instances"], "maxTotalCores": limit["cores"],
                "maxTotalRAMSize": limit["ram"], "maxServerMeta": limit["metadata_items"],
                "maxTotalKeypairs": limit["key_pairs"], "maxServerGroups": limit["server_groups"],
                "maxServerGroupMembers": limit["server_group_members"], "totalInstancesUsed": used["instances"],
                "totalCoresUsed": used["cores"],
                "totalRAMUsed": used["ram"], "totalServerGroupsUsed": used["server_groups"]}
    if req.version < (2, 57):
        absolute.update(maxPersonality=limit["injected_files"], maxPersonalitySize=limit["injected_file_content_bytes"])
    if req.version < (2, 39):
        absolute.update(maxImageMeta=128)
    if req.version < (2, 36):
        absolute.update(maxTotalFloatingIps=-1, totalFloatingIpsUsed=0, maxSecurityGroups=-1, totalSecurityGroupsUsed=0,
                        maxSecurityGroupRules=-1)
    return {"limits": {"rate": [], "absolute": absolute}}
