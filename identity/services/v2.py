"""Parts of the API v2.0 that differ from v3: projects of the default domain as tenants, and endpoints with three URLs."""

import json
import typing

from common import context, errors, rows
from common.calls import Call
from identity import targets
from identity.db import endpoints as endpoint_rows
from identity.db import grants, models
from identity.db import roles as role_rows
from identity.services import grants as grant_services
from identity.services import projects, users
from identity.services.endpoints import ensure_region

DOMAIN = "default"
INTERFACES = ("public", "internal", "admin")


def _tenant(connection, id: str) -> dict:
    """:raises NotFound: the default domain has no tenant with that id"""
    return rows.get(connection, models.projects, id, resource="project", domain_id=DOMAIN)


def tenants(call: Call) -> list[dict]:
    """All tenants that the caller may list."""
    projects.NOUN.check_list(call, {})
    with call.svc.db.reader() as connection:
        return rows.select(connection, models.projects, *projects.NOUN.in_own_domain(call), domain_id=DOMAIN)


def project(call: Call, id: str) -> dict | None:
    with call.svc.db.reader() as connection:
        return rows.find(connection, models.projects, id)


# Users and their roles on tenants -----------------------------------------------

def named_users(call: Call, **wanted: typing.Any) -> list[dict]:
    """Users of the default domain with these values."""
    users.NOUN.check_list(call, {})
    with call.svc.db.reader() as connection:
        return rows.select(connection, models.users, *users.NOUN.in_own_domain(call), domain_id=DOMAIN, **wanted)


def users_of_tenant(call: Call, id: str) -> list[dict]:
    """The users who have a role on a tenant."""
    users.NOUN.check_list(call, {})
    with call.svc.db.reader() as connection:
        _tenant(connection, id)
        return grants.users_on_project(connection, id, *users.NOUN.in_own_domain(call))


def joining(call: Call):
    """A function that adds a user to the user's tenant, in the same transaction."""
    def then(connection, user: dict) -> None:
        if not user["default_project_id"]:
            return
        row = rows.get(connection, models.projects, user["default_project_id"], resource="project")
        # This grants a role, so the rule for grants is checked, as in v3.
        call.svc.policy.check(call.ctx, "identity:create_grant", targets.of(
            project=row, user=user, role={"name": call.svc.conf.identity.member_role_name}))
        role = role_rows.ensure(connection, call.svc.conf.identity.member_role_name)
        grants.add(connection, user_id=user["id"], target_type="project", target_id=user["default_project_id"], role_id=role)
    return then


def _key(call: Call, connection, verb: str, id: str, user_id: str, role_id: str) -> tuple[dict, dict]:
    """(key of an assignment, role), with the rules of v3."""
    _tenant(connection, id)
    role = rows.get(connection, models.roles, role_id, resource="role", domain_id="")
    names = {"target_id": id, "user_id": user_id, "role_id": role_id}
    return grant_services.key(call, connection, verb, "projects", names), role


def roles_of(call: Call, id: str, user_id: str) -> list[dict]:
    """The roles of a user on a tenant, by name."""
    with call.svc.db.reader() as connection:
        _tenant(connection, id)
        of = grant_services.key(call, connection, "list", "projects", {"target_id": id, "user_id": user_id})
        return sorted(grants.roles_given(connection, **of), key=lambda r: r["name"])


def give_role(call: Call, id: str, user_id: str, role_id: str) -> dict:
    """Grant a role to a user; returns the role."""
    with call.svc.db.writer() as connection:
        of, role = _key(call, connection, "create", id, user_id, role_id)
        if rows.exists(connection, models.assignments, **of):
            raise errors.Conflict(f"Conflict occurred attempting to store role grant - User {user_id} already has role "
                                  f"{role_id} in tenant {id}.")
        grants.add(connection, **of)
    return role


def take_role(call: Call, id: str, user_id: str, role_id: str) -> None:
    with call.svc.db.writer() as connection:
        of, _ = _key(call, connection, "revoke", id, user_id, role_id)
        if not grants.remove(connection, **of):
            raise errors.NotFound(f"Could not find role assignment with role: {role_id}.")
        call.svc.revoke(connection, user_id=user_id, project_id=id)
    call.svc.revocations.run_once()


# Endpoints: three URLs for a service in a region, which are three endpoints in v3 ---------

def endpoints(call: Call) -> dict[str, list[dict]]:
    """{id in v2.0: the endpoints of v3 that it combines}"""
    call.svc.policy.check(call.ctx, "identity:list_endpoints", {})
    with call.svc.db.reader() as connection:
        return endpoint_rows.by_legacy_id(connection)


def create_endpoint(call: Call, given: dict) -> tuple[str, list[dict]]:
    """:param given: {"service_id", "region", "publicurl", "internalurl", "adminurl"}"""
    call.svc.policy.check(call.ctx, "identity:create_endpoint", {})
    id = context.new_hex()
    with call.svc.db.writer() as connection:
        rows.get(connection, models.services, given["service_id"], resource="service")
        values = {"region": given.get("region"), "region_id": None}
        ensure_region(connection, values)
        held = [{"id": context.new_hex(), "service_id": given["service_id"], "interface": i, "region_id": values["region_id"],
                 "url": given[f"{i}url"], "enabled": True, "extra": json.dumps({"legacy_endpoint_id": id})}
                for i in INTERFACES if given.get(f"{i}url")]
        for row in held:
            rows.insert(connection, models.endpoints, row)
    return id, held


def delete_endpoint(call: Call, id: str) -> None:
    call.svc.policy.check(call.ctx, "identity:delete_endpoint", {})
    with call.svc.db.writer() as connection:
        held = endpoint_rows.by_legacy_id(connection).get(id)
        if held is None:
            raise errors.NotFound(f"Could not find endpoint: {id}.")
        rows.delete_where(connection, models.endpoints, id=[r["id"] for r in held])
