"""Address usage of networks."""

from network import parsing
from network.handlers import listing
from network.services import ip_availability
from network.services.listing import in_memory

_FILTERS = {"network_id": str, "network_name": str, "project_id": str, "tenant_id": str,
            "ip_version": lambda raw: parsing.between(4, 6)(raw, "ip_version")}


def index(req):
    found = ip_availability.index(req.call)
    if "ip_version" in req.GET:  # a property of the whole list, repeated in each row
        version = _FILTERS["ip_version"](req.GET["ip_version"])
        found = [{**row, "subnet_ip_availability": [s for s in row["subnet_ip_availability"] if s["ip_version"] == version]}
                 for row in found]
    found = [{**row, "ip_version": req.GET.get("ip_version") and _FILTERS["ip_version"](req.GET["ip_version"])} for row in found]
    found = in_memory(listing.query(req), found, _FILTERS, ("network_id",), key="network_id")
    return {"network_ip_availabilities": [{k: v for k, v in row.items() if k != "ip_version"} for row in found]}


def show(req, id):
    return {"network_ip_availability": ip_availability.show(req.call, id)}
