"""Overview: the project's usage and quotas, and the choice of another project."""

from common.rest import path
from dashboard import session
from dashboard.asks import get, together
from dashboard.pages import render

_COMPUTE = (("Instances", "totalInstancesUsed", "maxTotalInstances"), ("VCPUs", "totalCoresUsed", "maxTotalCores"),
            ("RAM, GiB", "totalRAMUsed", "maxTotalRAMSize"), ("Server groups", "totalServerGroupsUsed", "maxServerGroups"))
_VOLUME = (("Volumes", "totalVolumesUsed", "maxTotalVolumes"), ("Snapshots", "totalSnapshotsUsed", "maxTotalSnapshots"),
           ("Storage, GiB", "totalGigabytesUsed", "maxTotalVolumeGigabytes"))
_NETWORK = (("network", "Networks"), ("subnet", "Subnets"), ("port", "Ports"), ("router", "Routers"),
            ("floatingip", "Floating IPs"), ("security_group", "Security groups"),
            ("security_group_rule", "Security group rules"))


def _limits(limits: dict, rows) -> list[tuple[str, float, float]]:
    """(name, used, limit) of each; what the API has in MiB in GiB."""
    return [(name, limits[used] / scale, limits[most] / scale) for name, used, most in rows if used in limits and most in limits
            for scale in [1024 if name == "RAM, GiB" else 1]]


def show(req):
    """What a service cannot tell now is left out, so that the others' is shown."""
    active = session.required(req)
    own = active.project_id
    found = together(req, compute=get("compute", path("/v2.1/limits"), "limits", instead={}),
                     volume=get("volume", path("/v3/limits"), "limits", instead={}),
                     network=get("network", path("/v2.0/quotas/{name}/details", own), "quota", instead={}),
                     projects=get("identity", path("/v3/auth/projects"), "projects"))
    network = [(text, found["network"][name]["used"], found["network"][name]["limit"]) for name, text in _NETWORK
               if name in found["network"]]
    groups = [(title, bars) for title, bars in (
        ("Compute", _limits(found["compute"].get("absolute", {}), _COMPUTE)),
        ("Volumes", _limits(found["volume"].get("absolute", {}), _VOLUME)), ("Network", network)) if bars]
    projects = sorted((p for p in found["projects"] if p["enabled"]), key=lambda p: p["name"])
    return render(req, "overview.html", groups=groups, projects=projects)
