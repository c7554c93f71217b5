"""Allocation candidates: the hosts that could give what a client wants."""

from compute_api.placement.groups import Candidates
from compute_api.placement.handlers import queries
from compute_api.placement.handlers.answers import answer
from compute_api.placement.provider import Provider
from compute_api.placement.services import providers


def _request(req, wanted: Candidates, provider: Provider) -> dict:
    resources = wanted.resources()
    if req.version < (1, 12):
        return {"allocations": [{"resource_provider": {"uuid": provider.uuid}, "resources": resources}]}
    mappings = {"mappings": {suffix: [provider.uuid] for suffix in wanted.groups}} if req.version >= (1, 34) else {}
    return {"allocations": {provider.uuid: {"resources": resources}}, **mappings}


def _summary(req, wanted: Candidates, provider: Provider) -> dict:
    shown = [name for name in provider.inventories if req.version >= (1, 27) or name in wanted.resources()]
    return {"resources": {name: {"capacity": provider.capacity(name), "used": provider.used[name]} for name in shown},
            **({"traits": sorted(provider.traits)} if req.version >= (1, 17) else {}),
            **({"parent_provider_uuid": None, "root_provider_uuid": provider.uuid} if req.version >= (1, 29) else {})}


def index(req):
    wanted = queries.candidates(req)
    found = providers.candidates(req.call, wanted)
    return answer(req, {"allocation_requests": [_request(req, wanted, p) for p in found],
                        "provider_summaries": {p.uuid: _summary(req, wanted, p) for p in found}})
