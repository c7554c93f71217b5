"""Limits: services register defaults for their resources; projects and domains get limits of their own.

The model is flat: a project's limit is independent of its parent's.
"""

import dataclasses
import typing

from common import context, errors, rows
from common.calls import Call
from identity import targets
from identity.db import limits as queries
from identity.db import models

REGISTERED, LIMITS = models.registered_limits, models.limits
MODEL = {"name": "flat", "description": "Limit enforcement and validation does not take project hierarchy into consideration."}


def _register(call: Call, connection, given: dict) -> dict:
    """Insert a registered limit; returns it."""
    rows.get(connection, models.services, given["service_id"], resource="service")
    if given.get("region_id"):
        rows.get(connection, models.regions, given["region_id"], resource="region")
    _check_unique(connection, given)
    row = {"id": context.new_hex(), "description": None, "region_id": None, **given}
    return rows.insert(connection, REGISTERED, row)


def _check_unique(connection, values: dict, but_id: str = "") -> None:
    if queries.same_registered(connection, values, but_id):
        raise errors.Conflict("Conflict occurred attempting to store registered_limit - Duplicate entry.")


def _reregister(call: Call, connection, old: dict, values: dict) -> None:
    _check_unique(connection, {**old, **values}, old["id"])
    if set(values) - {"default_limit", "description"} and rows.exists(connection, LIMITS, registered_limit_id=old["id"]):
        raise errors.Forbidden(f"Unable to update registered limit {old['id']} because there are project limits associated "
                               "with it.")


def _unregister(call: Call, connection, row: dict) -> None:
    if rows.exists(connection, LIMITS, registered_limit_id=row["id"]):
        raise errors.Forbidden(f"Unable to delete registered limit {row['id']} because there are project limits associated "
                               "with it.")


def _set_limit(call: Call, connection, given: dict) -> dict:
    """Insert a limit of a project or domain; returns it."""
    if bool(given.get("project_id")) == bool(given.get("domain_id")):
        raise errors.BadRequest("A limit needs either a project or a domain.")
    for kind, table in (("project", models.projects), ("domain", models.domains)):
        if given.get(f"{kind}_id"):
            rows.get(connection, table, given[f"{kind}_id"], resource=kind)
    registered = queries.same_registered(connection, given)
    if registered is None:
        raise errors.Forbidden("Unable to create a limit that has no corresponding registered limit.")
    row = {"id": context.new_hex(), "project_id": given.get("project_id"), "domain_id": given.get("domain_id"),
           "registered_limit_id": registered["id"], "resource_limit": given["resource_limit"],
           "description": given.get("description")}
    if queries.same_limit_exists(connection, row):
        raise errors.Conflict("Conflict occurred attempting to store limit - Duplicate entry.")
    rows.insert(connection, LIMITS, row)
    return {**row, **{k: registered[k] for k in ("service_id", "region_id", "resource_name")}}


def _visible_limits(call: Call) -> list:
    """The WHERE of the limits in a list: all for services, administrators and system-scoped tokens; otherwise those
    of the token's project, or of its domain and the domain's projects."""
    if call.ctx.system or call.svc.policy.allows(call.ctx, "service_or_admin", {}):
        return []
    return [queries.in_domain(call.ctx.domain_id) if call.ctx.domain_id else queries.of_project(call.ctx.project_id or "")]


def _limit_target(connection, row: dict) -> dict:
    """The target of policy checks for a limit: its project, with the project's domain, or its domain."""
    if row["domain_id"]:
        return {**targets.of(limit=row), "target.limit.domain.id": row["domain_id"]}
    project = rows.find(connection, models.projects, row["project_id"])
    return {**targets.of(limit=row), "target.limit.project.domain_id": project and project["domain_id"]}


@dataclasses.dataclass(frozen=True)
class Kind:
    """Registered limits, or the limits of projects and domains. One request creates several.

    ``select(connection, *conditions, **wanted)`` reads the rows. ``target`` returns the target of the rule for
    showing one.
    """

    singular: str
    table: rows.Table
    select: typing.Callable
    insert: typing.Callable
    on_update: typing.Callable
    on_delete: typing.Callable
    visible: typing.Callable = lambda call: []
    target: typing.Callable | None = None

    def index(self, call: Call, wanted: dict[str, typing.Any]) -> list[dict]:
        call.svc.policy.check(call.ctx, f"identity:list_{self.singular}s", {})
        with call.svc.db.reader() as connection:
            return self.select(connection, *self.visible(call), **wanted)

    def _one(self, connection, id: str) -> dict:
        found = self.select(connection, id=id)
        if not found:
            raise errors.NotFound(f"Could not find {self.singular}: {id}.")
        return found[0]

    def show(self, call: Call, id: str) -> dict:
        with call.svc.db.reader() as connection:
            found = self.select(connection, id=id)
            target = self.target(connection, found[0]) if found and self.target else {}
            call.svc.policy.check(call.ctx, f"identity:get_{self.singular}", target)
            return self._one(connection, id)

    def create(self, call: Call, given: list[dict]) -> list[dict]:
        """:param given: a list of bodies, as the client sent them"""
        call.svc.policy.check(call.ctx, f"identity:create_{self.singular}s", {})
        with call.svc.db.writer() as connection:
            return [self.insert(call, connection, dict(g)) for g in given]

    def _known(self, call: Call, connection, verb: str, id: str) -> dict:
        """The row that a request changes.

        :raises NotFound: there is none; for limits, as in Keystone, before the rule is checked
        """
        rows.find(connection, self.table, id)  # locked until the end of this transaction
        if self.target:
            self._one(connection, id)
        call.svc.policy.check(call.ctx, f"identity:{verb}_{self.singular}", {})
        return self._one(connection, id)

    def update(self, call: Call, id: str, values: dict) -> dict:
        with call.svc.db.writer() as connection:
            self.on_update(call, connection, self._known(call, connection, "update", id), values)
            rows.update(connection, self.table, id, values, resource=self.singular)
            return self._one(connection, id)

    def delete(self, call: Call, id: str) -> None:
        with call.svc.db.writer() as connection:
            self.on_delete(call, connection, self._known(call, connection, "delete", id))
            rows.delete(connection, self.table, id, resource=self.singular)


REGISTERED_LIMIT = Kind("registered_limit", REGISTERED, queries.registered, _register, _reregister, _unregister)
LIMIT = Kind("limit", LIMITS, queries.limits, _set_limit, lambda call, connection, old, values: None,
             lambda call, connection, row: None, _visible_limits, _limit_target)


def model(call: Call) -> dict:
    call.svc.policy.check(call.ctx, "identity:get_limit_model", {})
    return MODEL
