"""The host map: every host by its availability zone, with its state, how full it is, and the instances on it."""

from common import errors
from common.rest import path
from dashboard import session
from dashboard.asks import get, together
from dashboard.pages import render
from dashboard.panel import Row
from dashboard.tables import natural
from dashboard.texts import Text

_MOST = 50  # instances of a host that are shown
_KINDS = (("VCPUs", "vcpus_used", "vcpus", 1), ("RAM, GiB", "memory_mb_used", "memory_mb", 1024),
          ("Disk, GiB", "local_gb_used", "local_gb", 1))


def _host(row: Row) -> Row:
    servers = sorted(row.get("servers") or [], key=lambda server: natural(server["name"]))
    return {"id": row["id"], "name": row["hypervisor_hostname"], "state": row["state"], "status": row["status"],
            "reason": row["service"].get("disabled_reason"),
            "bars": [(text, row[used] / scale, row[total] / scale) for text, used, total, scale in _KINDS],
            "servers": servers[:_MOST], "more": max(0, len(servers) - _MOST)}


def show(req):
    """Two requests, however many hosts and instances there are."""
    if not session.required(req).admin:
        raise errors.Forbidden("Only administrators may open this page.")
    found = together(
        req, services=get("compute", path("/v2.1/os-services", query={"binary": "nova-compute"}), "services"),
        hosts=get("compute", path("/v2.1/os-hypervisors/detail", query={"with_servers": "true"}), "hypervisors", version="2.87"))
    zone_of = {service["host"]: service["zone"] for service in found["services"]}
    zones: dict[str, list[Row]] = {}
    for row in sorted(found["hosts"], key=lambda row: natural(row["hypervisor_hostname"])):
        zones.setdefault(zone_of.get(row["service"]["host"], Text("No zone")), []).append(_host(row))
    return render(req, "host_map.html", zones=sorted(zones.items()))
