"""Quotas and limits of projects."""


from common import errors, rows, schema, unsupported, wsgi
from common import quotas as project_quotas
from compute_api import access, microversions, projects
from conductor.db import instances, models, quotas

# Resources of the old network and injection APIs: not limited here, but clients expect them before 2.57.
UNLIMITED = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules", "injected_files",
              "injected_file_content_bytes", "injected_file_path_bytes")


def _legacy(req) -> list[str]:
    """Those of them that this microversion still speaks of."""
    if req.version >= (2, 57):
        return []
    return [r for r in UNLIMITED if r.startswith("injected") or req.version < (2, 36)]


def _all(req, limit: dict) -> dict:
    return {**limit, **{r: -1 for r in _legacy(req)}}


def _used(connection, project_id: str) -> dict:
    groups = rows.count(connection, models.server_groups, models.server_groups.c.project_id == project_id)
    return {**instances.usage(connection, project_id), "server_groups": groups}


def _of_project(req) -> None:
    """:raises BadRequest: what is to be changed is one user's part of a project's quota; without this it would be the whole"""
    microversions.check_query(req, ("user_id",))
    if "user_id" in req.GET:
        raise errors.BadRequest(unsupported.sentence("quotas of single users; leave user_id out to set the project's"))


def show(req, target):
    """Of a user, too: nobody has less than his project."""
    req.svc.policy.check(req.ctx, "os_compute_api:os-quota-sets:show", {"project_id": target})
    microversions.check_query(req, ("user_id",))
    projects.check(req, target)
    with req.svc.db.reader() as connection:
        limit = quotas.limits(connection, target, req.svc.quota_defaults)
    return {"quota_set": {"id": target, **_all(req, limit)}}


def detail(req, target):
    req.svc.policy.check(req.ctx, "os_compute_api:os-quota-sets:detail", {"project_id": target})
    microversions.check_query(req, ("user_id",))
    projects.check(req, target)
    with req.svc.db.reader() as connection:
        limit = _all(req, quotas.limits(connection, target, req.svc.quota_defaults))
        used = _used(connection, target)
    return {"quota_set": {"id": target, **{r: {"limit": v, "in_use": used.get(r, 0), "reserved": 0}
                                           for r, v in limit.items()}}}


def defaults(req, target):
    req.svc.policy.check(req.ctx, "os_compute_api:os-quota-sets:defaults", {"project_id": target})
    projects.check(req, target)
    with req.svc.db.reader() as connection:
        return {"quota_set": {"id": target, **_all(req, quotas.of_class(connection, quotas.DEFAULT_CLASS,
                                                                        req.svc.quota_defaults))}}


LIMITS = dict.fromkeys((*quotas.DEFAULTS, *UNLIMITED), schema.integer(-1))


def chosen(req, given: dict, legacy: list[str]) -> dict:
    """The limits to store of those that a body sets.

    :param legacy: the unlimited resources that this microversion still speaks of
    :raises BadRequest: a resource that it does not, or a limit of one that has none
    """
    microversions.check_names(req, [k for k in given if k in UNLIMITED and k not in legacy], {}, {r: (2, 0) for r in UNLIMITED})
    refused = [k for k in given if k in UNLIMITED and given[k] != -1]
    if refused:
        raise errors.BadRequest(f"{refused[0]} is not limited by the compute service.")
    return {k: int(v) for k, v in given.items() if k in quotas.DEFAULTS}


@wsgi.body(schema.wrapped("quota_set", {**LIMITS, "force": schema.BOOLEAN, "tenant_id": {}}))
def update(req, target, body):
    req.svc.policy.check(req.ctx, "os_compute_api:os-quota-sets:update", {"project_id": target})
    _of_project(req)
    projects.check(req, target)
    given = chosen(req, body["quota_set"], _legacy(req))
    with req.svc.db.writer() as connection:
        used = _used(connection, target)
        for resource, limit in given.items():
            if 0 <= limit < used.get(resource, 0) and not wsgi.bool_value(body["quota_set"].get("force", False)):
                raise errors.BadRequest(f"Quota limit {limit} for {resource} must be greater than or equal to already "
                                        f"used and reserved {used[resource]}.")
        project_quotas.store(connection, models.quotas, target, given)
        limits_now = quotas.limits(connection, target, req.svc.quota_defaults)
    return {"quota_set": _all(req, limits_now)}


def delete(req, target):
    req.svc.policy.check(req.ctx, "os_compute_api:os-quota-sets:delete", {"project_id": target})
    _of_project(req)
    with req.svc.db.writer() as connection:
        project_quotas.reset(connection, models.quotas, target)


def limits(req):
    req.svc.policy.check(req.ctx, "os_compute_api:limits", {})
    project = req.ctx.project_id
    microversions.check_query(req, ("tenant_id", "reserved"))
    if "tenant_id" in req.GET:
        project = req.GET["tenant_id"]
        req.svc.policy.check(req.ctx, "os_compute_api:limits:other_project", access.own(req))
    with req.svc.db.reader() as connection:
        limit = quotas.limits(connection, project, req.svc.quota_defaults)
        used = _used(connection, project)
    absolute = {"maxTotalInstances": limit["instances"], "maxTotalCores": limit["cores"],
                "maxTotalRAMSize": limit["ram"], "maxServerMeta": limit["metadata_items"],
                "maxTotalKeypairs": limit["key_pairs"], "maxServerGroups": limit["server_groups"],
                "maxServerGroupMembers": limit["server_group_members"], "totalInstancesUsed": used["instances"],
                "totalCoresUsed": used["cores"],
                "totalRAMUsed": used["ram"], "totalServerGroupsUsed": used["server_groups"]}
    if req.version < (2, 57):
        absolute.update(maxPersonality=0, maxPersonalitySize=0)
    if req.version < (2, 39):
        absolute.update(maxImageMeta=128)
    if req.version < (2, 36):
        absolute.update(maxTotalFloatingIps=-1, totalFloatingIpsUsed=0, maxSecurityGroups=-1, totalSecurityGroupsUsed=0,
                        maxSecurityGroupRules=-1)
    return {"limits": {"rate": [], "absolute": absolute}}
