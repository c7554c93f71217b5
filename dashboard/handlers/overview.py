"""Overview: the project's usage and quotas."""

from common.rest import path
from dashboard import session
from dashboard.pages import call, render


def _bars(limits: dict, rows) -> list[dict]:
    return [{"name": name, "used": limits[used], "limit": limits[most],
             "share": min(100, 100 * limits[used] // limits[most]) if limits[most] > 0 else 0} for name, used, most in rows]


def show(req):
    active = session.required(req)
    compute = call(req, "GET", "compute", path("/v2.1/limits"))["limits"]["absolute"]
    volume = call(req, "GET", "volume", path("/v3/{name}/limits", active.project_id))["limits"]["absolute"]
    quota = call(req, "GET", "network", path("/v2.0/quotas/{name}/details", active.project_id))["quota"]
    network = {f"{n}_{k}": quota[n][k] for n in ("floatingip", "security_group", "network", "router") for k in ("used", "limit")}
    groups = [
        ("Compute", _bars(compute, [("Instances", "totalInstancesUsed", "maxTotalInstances"),
                                    ("VCPUs", "totalCoresUsed", "maxTotalCores"),
                                    ("RAM, MiB", "totalRAMUsed", "maxTotalRAMSize")])),
        ("Volume", _bars(volume, [("Volumes", "totalVolumesUsed", "maxTotalVolumes"),
                                  ("Volume storage, GiB", "totalGigabytesUsed", "maxTotalVolumeGigabytes")])),
        ("Network", _bars(network, [(text, f"{n}_used", f"{n}_limit") for n, text in (
            ("floatingip", "Floating IPs"), ("security_group", "Security Groups"), ("network", "Networks"),
            ("router", "Routers"))]))]
    return render(req, "overview.html", groups=groups, projects=session.projects_of(req, active.token))
