"""OS-ENDPOINT-POLICY: which policy document holds for an endpoint, a service, or a service in a region."""

import sqlalchemy as sa

from common import errors, rows
from common.wsgi import Route
from identity.db import models
from identity.handlers.endpoints import NOUN as ENDPOINT
from identity.handlers.policies import NOUN as POLICY

TABLE, REGIONS = models.policy_associations, models.regions


def _allowed(req, verb: str, path: dict) -> dict:
    """The key of an association that a path names. :raises Forbidden: the caller may not do that with it"""
    thing = "endpoint" if "endpoint_id" in path else "region_and_service" if "region_id" in path else "service"
    req.svc.policy.check(req.ctx, f"identity:{verb}_policy_association_for_{thing}", path)
    return {"endpoint_id": "", "service_id": "", "region_id": "", **path}


def _named(connection, id: str, key: dict) -> None:
    """:raises NotFound: the policy, or what the path names beside it"""
    rows.get(connection, models.policies, id, resource="policy")
    for kind, table in (("endpoint", models.endpoints), ("service", models.services), ("region", REGIONS)):
        if key[f"{kind}_id"]:
            rows.get(connection, table, key[f"{kind}_id"], resource=kind)


def add(req, id, **path):
    """One policy for one thing: what was associated before is replaced."""
    key = _allowed(req, "create", path)
    with req.svc.db.writer() as connection:
        _named(connection, id, key)
        connection.execute(sa.delete(TABLE).filter_by(**key))
        connection.execute(sa.insert(TABLE).values(policy_id=id, **key))


def _known(connection, id: str, key: dict) -> None:
    _named(connection, id, key)
    if not connection.execute(sa.select(TABLE.c.policy_id).filter_by(policy_id=id, **key)).first():
        raise errors.NotFound(f"Could not find an association of policy {id}.")


def check(req, id, **path):
    key = _allowed(req, "check", path)
    with req.svc.db.reader() as connection:
        _known(connection, id, key)


def remove(req, id, **path):
    key = _allowed(req, "delete", path)
    with req.svc.db.writer() as connection:
        _known(connection, id, key)
        connection.execute(sa.delete(TABLE).filter_by(policy_id=id, **key))


def _above(parents: dict[str, str | None], region_id: str | None) -> list[str]:
    """A region and those around it, innermost first."""
    found: list[str] = []
    while region_id and region_id not in found:
        found.append(region_id)
        region_id = parents.get(region_id)
    return found


def _effective(endpoint: dict, held: dict[tuple, str], parents: dict[str, str | None]) -> str | None:
    """The id of the policy of an endpoint: its own, else that of its service in its region or one around it, else its
    service's."""
    keys = [(endpoint["id"], "", ""), *(("", endpoint["service_id"], r) for r in _above(parents, endpoint["region_id"])),
            ("", endpoint["service_id"], "")]
    return next((held[k] for k in keys if k in held), None)


def _all(connection) -> tuple[dict, dict]:
    """({(endpoint, service, region): policy id}, {region: the one around it})"""
    held = {(e, s, r): p for e, s, r, p in connection.execute(sa.select(
        TABLE.c.endpoint_id, TABLE.c.service_id, TABLE.c.region_id, TABLE.c.policy_id))}
    return held, dict(connection.execute(sa.select(REGIONS.c.id, REGIONS.c.parent_region_id)).all())


def endpoints(req, id):
    """The endpoints for which a policy holds."""
    req.svc.policy.check(req.ctx, "identity:list_endpoints_for_policy", {})
    with req.svc.db.reader() as connection:
        rows.get(connection, models.policies, id, resource="policy")
        held, parents = _all(connection)
        found = [e for e in rows.many(connection, sa.select(models.endpoints).order_by(models.endpoints.c.id))
                 if _effective(e, held, parents) == id]
    return {"endpoints": [ENDPOINT.view(req, e) for e in found], "links": {"self": req.path_url, "next": None, "previous": None}}


def of_endpoint(req, id):
    req.svc.policy.check(req.ctx, "identity:get_policy_for_endpoint", {})
    with req.svc.db.reader() as connection:
        endpoint = rows.get(connection, models.endpoints, id, resource="endpoint")
        policy_id = _effective(endpoint, *_all(connection))
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
