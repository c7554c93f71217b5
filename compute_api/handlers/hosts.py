"""os-hosts, until 2.42: hosts with their capacity and usage. Newer clients use os-hypervisors and os-services."""

from common import wsgi
from compute_api.schemas import hosts as schemas
from compute_api.services import hosts


def index(req):
    """The enabled daemons, of one zone or of all zones."""
    req.svc.policy.check(req.ctx, "os_compute_api:os-hosts:list", {})
    found = hosts.index(req.call, req.GET.get("zone") or None)
    return {"hosts": [{"host_name": r["host"], "service": r["binary"].removeprefix("nova-"), "zone": r["zone"]} for r in found]}


def _resource(host: str, project: str, cpu: int, memory_mb: int, disk_gb: int) -> dict:
    return {"resource": {"host": host, "project": project, "cpu": cpu, "memory_mb": memory_mb, "disk_gb": disk_gb}}


def show(req, id):
    """The capacity of the host, its usage, the sum of its servers' flavors, and that sum by project."""
    used, node = hosts.show(req.call, id)
    most = [sum(row[i] for row in used) for i in (1, 2, 3)]
    return {"host": [_resource(id, "(total)", node["vcpus"], node["memory_mb"], node["local_gb"]),
                     _resource(id, "(used_now)", node["vcpus_used"], node["memory_mb_used"], node["local_gb_used"]),
                     _resource(id, "(used_max)", *most), *(_resource(id, *row) for row in used)]}


@wsgi.body(schemas.UPDATE)
def update(req, id, body):
    """Enable or disable the host for new servers."""
    req.svc.policy.check(req.ctx, "os_compute_api:os-hosts:update", {})
    if "maintenance_mode" in body:
        hosts.maintain(req.call, id)
    enabled = body["status"].lower() == "enable"
    hosts.update(req.call, enabled, id)
    return {"host": id, "status": "enabled" if enabled else "disabled"}


def reboot(req, id):
    hosts.power(req.call, id, "os_compute_api:os-hosts:reboot")


def shutdown(req, id):
    hosts.power(req.call, id, "os_compute_api:os-hosts:shutdown")


def startup(req, id):
    hosts.power(req.call, id, "os_compute_api:os-hosts:start")
