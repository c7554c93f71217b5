"""Resource providers: the compute hosts."""

from common import errors
from compute_api.placement.handlers import queries
from compute_api.placement.handlers.answers import answer
from compute_api.placement.provider import Provider
from compute_api.placement.services import providers

_PARTS = {"inventories": 0, "usages": 0, "aggregates": 1, "traits": 6, "allocations": 11}  # since which minor version
_FILTERS = {"name": 0, "uuid": 0, "member_of": 3, "resources": 4, "in_tree": 14, "required": 18}


def _view(req, provider: Provider) -> dict:
    own, minor = f"/resource_providers/{provider.uuid}", req.version[1]
    tree = {"parent_provider_uuid": None, "root_provider_uuid": provider.uuid} if minor >= 14 else {}
    return {"uuid": provider.uuid, "name": provider.node["hypervisor_hostname"], "generation": provider.generation, **tree,
            "links": [{"rel": "self", "href": own}, *({"rel": part, "href": f"{own}/{part}"}
                                                      for part, since in _PARTS.items() if minor >= since)]}


def index(req):
    queries.check(req, _FILTERS)
    found = providers.find(req.call, queries.group(req), name=req.GET.get("name"), uuid=queries.uuid(req.GET.get("uuid"), "uuid"))
    return answer(req, {"resource_providers": [_view(req, p) for p in found]},
                  max((p.node["updated_at"] for p in found), default=None))


def show(req, uuid):
    found = providers.get(req.call, "placement:resource_providers:show", uuid)
    return answer(req, _view(req, found), found.node["updated_at"])


def inventories(req, uuid):
    found = providers.get(req.call, "placement:resource_providers:inventories:list", uuid)
    return answer(req, {"inventories": found.inventories, "resource_provider_generation": found.generation},
                  found.node["updated_at"])


def inventory(req, uuid, resource_class):
    found = providers.get(req.call, "placement:resource_providers:inventories:show", uuid)
    if resource_class not in found.inventories:
        raise errors.NotFound(f"No inventory of class {resource_class} for {uuid}")
    return answer(req, {**found.inventories[resource_class], "resource_provider_generation": found.generation},
                  found.node["updated_at"])


def usages(req, uuid):
    found = providers.get(req.call, "placement:resource_providers:usages", uuid)
    return answer(req, {"usages": found.used, "resource_provider_generation": found.generation})


def aggregates(req, uuid):
    found = providers.get(req.call, "placement:resource_providers:aggregates:list", uuid)
    generation = {"resource_provider_generation": found.generation} if req.version >= (1, 19) else {}
    return answer(req, {"aggregates": sorted(found.aggregates), **generation})


def traits(req, uuid):
    found = providers.get(req.call, "placement:resource_providers:traits:list", uuid, facts=True)
    return answer(req, {"traits": sorted(found.traits), "resource_provider_generation": found.generation},
                  found.node["updated_at"])
