"""Allocations: what servers hold of hosts. A server that is being moved holds parts of two."""

from compute_api.placement import provider
from compute_api.placement.handlers.answers import answer
from compute_api.placement.services import allocations

CONSUMER_TYPE = "INSTANCE"
_GENERATION = (1, 28)


def _newest(found: list[dict]):
    return max((held["created_at"] for held in found), default=None)


def of_consumer(req, consumer_uuid):
    found = allocations.of_consumer(req.call, consumer_uuid)
    body: dict = {"allocations": {held["provider"]: {
        "resources": provider.amounts(held), "generation": held["provider_generation"]} for held in found}}
    if found and req.version >= (1, 12):
        body.update(project_id=found[0]["project_id"], user_id=found[0]["user_id"])
        if req.version >= _GENERATION:
            body["consumer_generation"] = found[0]["attempt"]
        if req.version >= (1, 38):
            body["consumer_type"] = CONSUMER_TYPE
    return answer(req, body, _newest(found))


def of_provider(req, uuid):
    of, found = allocations.of_provider(req.call, uuid)
    return answer(req, {"resource_provider_generation": of.generation, "allocations": {held["instance_uuid"]: {
        "resources": provider.amounts(held), **({"consumer_generation": held["attempt"]} if req.version >= _GENERATION else {})}
        for held in found}}, _newest(found))
