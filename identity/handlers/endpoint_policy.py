"""OS-ENDPOINT-POLICY: which policy document applies to an endpoint, a service, or a service in a region."""

from common.wsgi import Route
from identity.handlers.endpoints import CRUD as ENDPOINT
from identity.handlers.policies import CRUD as POLICY
from identity.services import endpoint_policy


def add(req, id, **path):
    """Associate a policy; an existing association is replaced."""
    endpoint_policy.add(req.call, id, path)


def check(req, id, **path):
    endpoint_policy.check(req.call, id, path)


def remove(req, id, **path):
    endpoint_policy.remove(req.call, id, path)


def endpoints(req, id):
    """The endpoints to which a policy applies."""
    return ENDPOINT.many(req, endpoint_policy.endpoints(req.call, id))


def of_endpoint(req, id):
    return POLICY.one(req, endpoint_policy.of_endpoint(req.call, id))


def routes() -> list[Route]:
    base = "/v3/policies/{id}/OS-ENDPOINT-POLICY"
    things = [f"{base}/endpoints/{{endpoint_id}}", f"{base}/services/{{service_id}}",
              f"{base}/services/{{service_id}}/regions/{{region_id}}"]
    return [Route("GET", base + "/endpoints", endpoints),
            Route("GET", "/v3/endpoints/{id}/OS-ENDPOINT-POLICY/policy", of_endpoint),
            *[r for path in things for r in (Route("PUT", path, add, 204), Route("GET", path, check, 204),
                                             Route("DELETE", path, remove, 204))]]
