"""OS-ENDPOINT-POLICY: which policy document applies to an endpoint, a service, or a service in a region."""

from common import errors, rows
from common.calls import Call
from identity.db import endpoint_policy, models

TABLE = models.policy_associations


def _allowed(call: Call, verb: str, path: dict) -> dict:
    """The key of the association in a path. :raises Forbidden: by the rule"""
    thing = "endpoint" if "endpoint_id" in path else "region_and_service" if "region_id" in path else "service"
    call.svc.policy.check(call.ctx, f"identity:{verb}_policy_association_for_{thing}", path)
    return {"endpoint_id": "", "service_id": "", "region_id": "", **path}


def _named(connection, id: str, key: dict) -> None:
    """:raises NotFound: the policy, or another resource in the path, does not exist"""
    rows.get(connection, models.policies, id, resource="policy")
    for kind, table in (("endpoint", models.endpoints), ("service", models.services), ("region", models.regions)):
        if key[f"{kind}_id"]:
            rows.get(connection, table, key[f"{kind}_id"], resource=kind)


def add(call: Call, id: str, path: dict) -> None:
    """Associate a policy with the resource in a path; an existing association is replaced."""
    key = _allowed(call, "create", path)
    with call.svc.db.writer() as connection:
        _named(connection, id, key)
        rows.delete_where(connection, TABLE, **key)
        rows.insert(connection, TABLE, {"policy_id": id, **key})


def _known(connection, id: str, key: dict) -> None:
    _named(connection, id, key)
    if not rows.exists(connection, TABLE, policy_id=id, **key):
        raise errors.NotFound(f"Could not find an association of policy {id}.")


def check(call: Call, id: str, path: dict) -> None:
    key = _allowed(call, "check", path)
    with call.svc.db.reader() as connection:
        _known(connection, id, key)


def remove(call: Call, id: str, path: dict) -> None:
    key = _allowed(call, "delete", path)
    with call.svc.db.writer() as connection:
        _known(connection, id, key)
        rows.delete_where(connection, TABLE, policy_id=id, **key)


def endpoints(call: Call, id: str) -> list[dict]:
    call.svc.policy.check(call.ctx, "identity:list_endpoints_for_policy", {})
    with call.svc.db.reader() as connection:
        rows.get(connection, models.policies, id, resource="policy")
        every = rows.select(connection, models.endpoints)
        policies = endpoint_policy.effective(connection, every)
        found = [e for e in every if policies.get(e["id"]) == id]
    return found


def of_endpoint(call: Call, id: str):
    call.svc.policy.check(call.ctx, "identity:get_policy_for_endpoint", {})
    with call.svc.db.reader() as connection:
        endpoint = rows.get(connection, models.endpoints, id, resource="endpoint")
        policy_id = endpoint_policy.effective(connection, [endpoint]).get(id)
        if policy_id is None:
            raise errors.NotFound(f"No policy is associated with endpoint {id}.")
        return rows.get(connection, models.policies, policy_id, resource="policy")
