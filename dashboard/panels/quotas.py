"""Quotas of a project, in three services."""

from common.rest import path
from dashboard.asks import Ask, do, get, together
from dashboard.forms import Field
from dashboard.panel import Row
from dashboard.texts import Text

COMPUTE = {"instances": "Instances", "cores": "VCPUs", "ram": "RAM in GiB", "key_pairs": "Key pairs",
           "server_groups": "Server groups",
           "server_group_members": "Members of a server group", "metadata_items": "Metadata items of an instance"}
VOLUME = {"volumes": "Volumes", "gigabytes": "Volume storage in GiB", "snapshots": "Snapshots",
          "per_volume_gigabytes": "Size of one volume in GiB"}
NETWORK = {"network": "Networks", "subnet": "Subnets", "port": "Ports", "router": "Routers", "floatingip": "Floating IPs",
           "security_group": "Security groups", "security_group_rule": "Security group rules"}
_OF_ONE = {"server_group_members", "metadata_items", "per_volume_gigabytes"}  # nothing of a project counts towards them


def kind_of(name: str) -> str:
    """The kind of the field in which a quota is edited."""
    return "memory" if name == "ram" else "number"


def _quotas(req, project: str) -> dict[str, dict]:
    return together(req, compute=get("compute", path("/v2.1/os-quota-sets/{name}", project), "quota_set"),
                    volume=get("volume", path("/v3/os-quota-sets/{name}", project), "quota_set", instead={}),
                    network=get("network", path("/v2.0/quotas/{name}", project), "quota", instead={}))


def used_quotas(project: str) -> dict[str, Ask]:
    """What a project uses of its quotas, for ``used_rows``. A service that cannot tell it now is left out."""
    return {"compute": get("compute", path("/v2.1/os-quota-sets/{name}/detail", project), "quota_set", instead={}),
            "volume": get("volume", path("/v3/os-quota-sets/{name}", project, query={"usage": "true"}), "quota_set", instead={}),
            "network": get("network", path("/v2.0/quotas/{name}/details", project), "quota", instead={})}


def used_rows(found: dict[str, dict]) -> list[Row]:
    rows = [{"id": name, "text": Text(text), "used": found[service][name].get("in_use", found[service][name].get("used", 0)),
             "limit": found[service][name]["limit"]}
            for service, texts in (("compute", COMPUTE), ("volume", VOLUME), ("network", NETWORK))
            for name, text in texts.items() if isinstance(found[service].get(name), dict) and name not in _OF_ONE]
    for row in rows:
        if row["id"] == "ram":
            row.update(text=Text("RAM, GiB"), used=row["used"] / 1024, limit=row["limit"] / 1024 if row["limit"] >= 0 else -1)
    return rows


def quota_fields(req, row) -> list[Field]:
    found = _quotas(req, row["id"])
    fields = [Field(f"{service}-{name}", text, kind_of(name), True, initial=found[service][name], low=-1,
                    section=service.capitalize() if name == next(iter(texts)) else "")
              for service, texts in (("compute", COMPUTE), ("volume", VOLUME), ("network", NETWORK))
              for name, text in texts.items() if name in found[service]]
    return fields


def set_quotas(req, id: str, values: dict, row: Row) -> None:
    """Send each service the quotas that were changed."""
    found = _quotas(req, id)
    changed: dict[str, dict] = {"compute": {}, "volume": {}, "network": {}}
    for key, value in values.items():
        service, _, name = key.partition("-")
        if service in changed and found[service].get(name) != value:
            changed[service][name] = value
    if changed["compute"]:
        do(req, "PUT", "compute", path("/v2.1/os-quota-sets/{name}", id), {"quota_set": changed["compute"]})
    if changed["volume"]:
        do(req, "PUT", "volume", path("/v3/os-quota-sets/{name}", id), {"quota_set": changed["volume"]})
    if changed["network"]:
        do(req, "PUT", "network", path("/v2.0/quotas/{name}", id), {"quota": changed["network"]})
