"""OS-ENDPOINT-POLICY: which policy document applies to an endpoint, a service, or a service in a region."""

from common import errors, rows
from common.wsgi import Route
from identity.db import endpoint_policy, models
from identity.handlers.endpoints import NOUN as ENDPOINT
from identity.handlers.policies import NOUN as POLICY

TABLE = models.policy_associations


def _allowed(req, verb: str, path: dict) -> dict:
    """The key of an association that a path names. :raises Forbidden: the caller may not do that with it"""
    thing = "endpoint" if "endpoint_id" in path else "region_and_service" if "region_id" in path else "service"
    req.svc.policy.check(req.ctx, f"identity:{verb}_policy_association_for_{thing}", path)
    return {"endpoint_id": "", "service_id": "", "region_id": "", **path}


def _named(connection, id: str, key: dict) -> None:
    """:raises NotFound: the policy, or what the path names beside it"""
    rows.get(connection, models.policies, id, resource="policy")
    for kind, table in (("endpoint", models.endpoints), ("service", models.services), ("region", models.regions)):
        if key[f"{kind}_id"]:
            rows.get(connection, table, key[f"{kind}_id"], resource=kind)


def add(req, id, **path):
    """One policy for one thing: what was associated before is replaced."""
    key = _allowed(req, "create", path)
    with req.svc.db.writer() as connection:
        _named(connection, id, key)
        rows.delete_where(connection, TABLE, **key)
        rows.insert(connection, TABLE, {"policy_id": id, **key})


def _known(connection, id: str, key: dict) -> None:
    _named(connection, id, key)
    if not rows.exists(connection, TABLE, policy_id=id, **key):
        raise errors.NotFound(f"Could not find an association of policy {id}.")


def check(req, id, **path):
    key = _allowed(req, "check", path)
    with req.svc.db.reader() as connection:
        _known(connection, id, key)


def remove(req, id, **path):
    key = _allowed(req, "delete", path)
    with req.svc.db.writer() as connection:
        _known(connection, id, key)
        rows.delete_where(connection, TABLE, policy_id=id, **key)


def endpoints(req, id):
    """The endpoints to which a policy applies."""
    req.svc.policy.check(req.ctx, "identity:list_endpoints_for_policy", {})
    with req.svc.db.reader() as connection:
        rows.get(connection, models.policies, id, resource="policy")
        every = rows.select(connection, models.endpoints)
        policies = endpoint_policy.effective(connection, every)
        found = [e for e in every if policies.get(e["id"]) == id]
    return {"endpoints": [ENDPOINT.view(req, e) for e in found], "links": {"self": req.path_url, "next": None, "previous": None}}


def of_endpoint(req, id):
    req.svc.policy.check(req.ctx, "identity:get_policy_for_endpoint", {})
    with req.svc.db.reader() as connection:
        endpoint = rows.get(connection, models.endpoints, id, resource="endpoint")
        policy_id = endpoint_policy.effective(connection, [endpoint]).get(id)
        if policy_id is None:
            raise errors.NotFound(f"No policy is associated with endpoint {id}.")
        return {"policy": POLICY.view(req, rows.get(connection, models.policies, policy_id, resource="policy"))}


def routes() -> list[Route]:
    base = "/v3/policies/{id}/OS-ENDPOINT-POLICY"
    things = [f"{base}/endpoints/{{endpoint_id}}", f"{base}/services/{{service_id}}",
              f"{base}/services/{{service_id}}/regions/{{region_id}}"]
    return [Route("GET", base + "/endpoints", endpoints),
            Route("GET", "/v3/endpoints/{id}/OS-ENDPOINT-POLICY/policy", of_endpoint),
            *[r for path in things for r in (Route("PUT", path, add, 204), Route("GET", path, check, 204),
                                             Route("DELETE", path, remove, 204))]]
