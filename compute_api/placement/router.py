"""Every route of the placement API. Nothing is written here: see doc/design/placement-api.md."""

from common.wsgi import Route
from compute_api.placement.handlers import allocations, candidates, classes, providers, traits, usages, versions

_P = "/resource_providers/{uuid}"


def _since(minor: int) -> tuple:
    return (1, minor), None


ROUTES = [
    Route("GET", "/", versions.index),
    Route("GET", "/resource_providers", providers.index), Route("GET", _P, providers.show),
    Route("GET", _P + "/inventories", providers.inventories),
    Route("GET", _P + "/inventories/{resource_class}", providers.inventory),
    Route("GET", _P + "/usages", providers.usages),
    Route("GET", _P + "/aggregates", providers.aggregates, versions=_since(1)),
    Route("GET", _P + "/traits", providers.traits, versions=_since(6)),
    Route("GET", _P + "/allocations", allocations.of_provider),
    Route("GET", "/allocations/{consumer_uuid}", allocations.of_consumer),
    Route("GET", "/resource_classes", classes.index, versions=_since(2)),
    Route("GET", "/resource_classes/{name}", classes.show, versions=_since(2)),
    Route("GET", "/traits", traits.index, versions=_since(6)),
    Route("GET", "/traits/{name}", traits.show, 204, _since(6)),
    Route("GET", "/usages", usages.index, versions=_since(9)),
    Route("GET", "/allocation_candidates", candidates.index, versions=_since(10)),
]
