"""The regions of the catalogue: a session works in one of them, with the services whose public endpoints are named there.

The identity service is that of this dashboard in every region.
"""

import re
import threading
import time
import types

from common import errors
from common.context import Context
from common.rest import RestClient, path
from dashboard.texts import Text

_TYPES = {"compute": ("compute",), "image": ("image",), "network": ("network",),
          "volume": ("block-storage", "volumev3", "volume"), "placement": ("placement",)}
# Requests have the version in their own paths.
_VERSION = re.compile(r"/v[0-9][0-9.]*(/.*)?\Z")
_KEPT_S = 60.0


def names(catalog: list[dict]) -> tuple[str, ...]:
    """The regions in which a catalogue has a compute service."""
    return tuple(sorted({endpoint["region"] for service in catalog if service["type"] == "compute"
                         for endpoint in service["endpoints"] if endpoint["interface"] == "public"}))


def endpoints(catalog: list[dict], region: str) -> dict[str, str]:
    """{service: URL} of a region."""
    found = {}
    for name, types_of in _TYPES.items():
        for kind in types_of:
            urls = [endpoint["url"] for service in catalog if service["type"] == kind for endpoint in service["endpoints"]
                    if endpoint["interface"] == "public" and endpoint["region"] == region]
            if urls:
                found[name] = _VERSION.sub("", urls[0].rstrip("/"))
                break
    return found


class Regions:
    """The clients of other regions than the dashboard's own, for each project, because catalogues can differ.

    :param service: with the client of its own region
    """

    def __init__(self, service):
        self._service, self._lock = service, threading.Lock()
        self._clients: dict[tuple[str, str], tuple[RestClient, float]] = {}  # by region and project; until when

    def client(self, token: str, project_id: str, region: str, service: str) -> RestClient:
        """The client of a service in a region.

        :param token: of the project
        :raises NotFound: the catalogue does not have it there
        """
        if region == self._service.conf.region or service == "identity":
            return self._service.rest
        with self._lock:
            known = self._clients.get((region, project_id))
        if known is None or known[1] < time.monotonic():
            known = self._learn(token, project_id, region)
        if not hasattr(known[0].conf.endpoints, service):
            raise errors.NotFound(Text("Region {region} has no {service} service.", region=region, service=service))
        return known[0]

    def _learn(self, token: str, project_id: str, region: str) -> tuple[RestClient, float]:
        ctx, now = Context(token=token), time.monotonic()
        catalog = self._service.rest.request("GET", "identity", path("/v3/auth/catalog"), ctx=ctx)["catalog"]
        conf = types.SimpleNamespace(endpoints=types.SimpleNamespace(**endpoints(catalog, region)))
        known = RestClient(conf), now + _KEPT_S
        with self._lock:
            self._clients = {key: kept for key, kept in self._clients.items() if kept[1] > now}
            self._clients[region, project_id] = known
        return known
