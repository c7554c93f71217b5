"""os-hosts, up to 2.42: hosts with what they have and what is used of it; newer clients read os-hypervisors and os-services."""

import sqlalchemy as sa

from common import errors, rows, wsgi
from conductor.db import hosts, models

SERVICES, INSTANCES = models.services, models.instances
_SWITCH = {"enum": [spelled(word) for word in ("enable", "disable") for spelled in (str.lower, str.capitalize, str.upper)]}


def index(req):
    """The daemons that are not disabled, of one zone or of all."""
    req.svc.policy.check(req.ctx, "os_compute_api:os-hosts:list", {})
    query = sa.select(SERVICES).where(sa.not_(SERVICES.c.disabled)).order_by(SERVICES.c.host, SERVICES.c.binary)
    if req.GET.get("zone"):
        query = query.where(SERVICES.c.zone == req.GET["zone"])
    with req.svc.db.reader() as connection:
        found = rows.many(connection, query)
    return {"hosts": [{"host_name": r["host"], "service": r["binary"].removeprefix("nova-"), "zone": r["zone"]} for r in found]}


def _resource(host: str, project: str, cpu: int, memory_mb: int, disk_gb: int) -> dict:
    return {"resource": {"host": host, "project": project, "cpu": cpu, "memory_mb": memory_mb, "disk_gb": disk_gb}}


def show(req, id):
    """What the host has, what is taken of it, what its servers may use, and that by project."""
    req.svc.policy.check(req.ctx, "os_compute_api:os-hosts:show", {})
    sums = [sa.func.coalesce(sa.func.sum(INSTANCES.c[name]), 0) for name in ("vcpus", "memory_mb", "disk_gb")]
    with req.svc.db.reader() as connection:
        node = next((n for n in hosts.all_nodes(connection) if n["host"] == id), None)
        if node is None:
            raise errors.NotFound(f"Compute host {id} could not be found.")
        by_project = connection.execute(sa.select(INSTANCES.c.project_id, *sums).where(INSTANCES.c.host == id).group_by(
            INSTANCES.c.project_id).order_by(INSTANCES.c.project_id)).all()
    used = [(project, *(int(n) for n in numbers)) for project, *numbers in by_project]
    most = [sum(row[i] for row in used) for i in (1, 2, 3)]
    return {"host": [_resource(id, "(total)", node["vcpus"], node["memory_mb"], node["local_gb"]),
                     _resource(id, "(used_now)", node["vcpus_used"], node["memory_mb_used"], node["local_gb_used"]),
                     _resource(id, "(used_max)", *most), *(_resource(id, *row) for row in used)]}


@wsgi.body({"type": "object", "properties": {"status": _SWITCH, "maintenance_mode": _SWITCH}, "additionalProperties": False,
            "minProperties": 1})
def update(req, id, body):
    """Enable or disable the host for new servers."""
    req.svc.policy.check(req.ctx, "os_compute_api:os-hosts:update", {})
    if "maintenance_mode" in body:
        raise errors.BadRequest("This cloud does not support maintenance modes of hosts. Disable the host instead.")
    enabled = body["status"].lower() == "enable"
    with req.svc.db.writer() as connection:
        done = connection.execute(sa.update(SERVICES).where(SERVICES.c.host == id, SERVICES.c.binary == "nova-compute").values(
            disabled=not enabled, disabled_reason=None))
        if done.rowcount == 0:
            raise errors.NotFound(f"Compute host {id} could not be found.")
    return {"host": id, "status": "enabled" if enabled else "disabled"}
