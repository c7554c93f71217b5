"""Limits: a service registers what it counts and how many everybody may have; projects and domains get their own.

The model is flat: a project's limit has nothing to do with its parent's.
"""

import dataclasses
import typing

from common import context, errors, rows, schema, wsgi
from common.wsgi import Route
from identity import targets
from identity.db import limits as queries
from identity.db import models

REGISTERED, LIMITS = models.registered_limits, models.limits
_COUNT = schema.integer(-1)
_FILTERS = ("service_id", "region_id", "resource_name")
_OF = {"service_id": schema.NAME, "region_id": {"type": ["string", "null"], "maxLength": 255}, "resource_name": schema.NAME,
       "description": schema.LONG_TEXT}
MODEL = {"name": "flat", "description": "Limit enforcement and validation does not take project hierarchy into consideration."}


def _registered_view(req, row: dict) -> dict:
    return {**row, "links": {"self": f"{req.base_url()}/v3/registered_limits/{row['id']}"}}


def _limit_view(req, row: dict) -> dict:
    kept = ("id", "project_id", "domain_id", "service_id", "region_id", "resource_name", "resource_limit", "description")
    return {**{k: row[k] for k in kept}, "links": {"self": f"{req.base_url()}/v3/limits/{row['id']}"}}


def _register(req, connection, given: dict) -> dict:
    """A new registered limit, written."""
    rows.get(connection, models.services, given["service_id"], resource="service")
    if given.get("region_id"):
        rows.get(connection, models.regions, given["region_id"], resource="region")
    _check_unique(connection, given)
    row = {"id": context.new_hex(), "description": None, "region_id": None, **given}
    return rows.insert(connection, REGISTERED, row)


def _check_unique(connection, values: dict, but_id: str = "") -> None:
    if queries.same_registered(connection, values, but_id):
        raise errors.Conflict("Conflict occurred attempting to store registered_limit - Duplicate entry.")


def _reregister(req, connection, old: dict, values: dict) -> None:
    _check_unique(connection, {**old, **values}, old["id"])
    if set(values) - {"default_limit", "description"} and rows.exists(connection, LIMITS, registered_limit_id=old["id"]):
        raise errors.Forbidden(f"Unable to update registered limit {old['id']} because there are project limits associated "
                               "with it.")


def _unregister(req, connection, row: dict) -> None:
    if rows.exists(connection, LIMITS, registered_limit_id=row["id"]):
        raise errors.Forbidden(f"Unable to delete registered limit {row['id']} because there are project limits associated "
                               "with it.")


def _set_limit(req, connection, given: dict) -> dict:
    """A new limit of one project or domain, written."""
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


def _visible_limits(req) -> list:
    """The WHERE of the limits that a list shows: all of them to services, administrators and a token for the system; else those
    of the project, or of the domain and its projects, that the token is for."""
    if req.ctx.system or req.svc.policy.allows(req.ctx, "service_or_admin", {}):
        return []
    return [queries.in_domain(req.ctx.domain_id) if req.ctx.domain_id else queries.of_project(req.ctx.project_id or "")]


def _limit_target(connection, row: dict) -> dict:
    """What the rule of a limit asks: its project, with the domain of that, or its domain."""
    if row["domain_id"]:
        return {**targets.of(limit=row), "target.limit.domain.id": row["domain_id"]}
    project = rows.find(connection, models.projects, row["project_id"])
    return {**targets.of(limit=row), "target.limit.project.domain_id": project and project["domain_id"]}


@dataclasses.dataclass(frozen=True)
class Kind:
    """Registered limits, or the limits of single projects and domains. One request creates several.

    ``select(connection, *conditions, **wanted)`` reads the rows. ``target`` gives what the rule for showing one is asked about.
    """

    singular: str
    table: rows.Table
    filters: tuple
    new: dict
    required: tuple
    changes: dict
    select: typing.Callable
    view: typing.Callable
    insert: typing.Callable
    on_update: typing.Callable
    on_delete: typing.Callable
    visible: typing.Callable = lambda req: []
    target: typing.Callable | None = None

    def index(self, req):
        req.svc.policy.check(req.ctx, f"identity:list_{self.singular}s", {})
        wanted = {name: req.GET[name] for name in self.filters if name in req.GET}
        with req.svc.db.reader() as connection:
            found = self.select(connection, *self.visible(req), **wanted)
        return {f"{self.singular}s": [self.view(req, r) for r in found],
                "links": {"self": req.path_url, "next": None, "previous": None}}

    def _one(self, connection, id: str) -> dict:
        found = self.select(connection, id=id)
        if not found:
            raise errors.NotFound(f"Could not find {self.singular}: {id}.")
        return found[0]

    def show(self, req, id):
        with req.svc.db.reader() as connection:
            found = self.select(connection, id=id)
            target = self.target(connection, found[0]) if found and self.target else {}
            req.svc.policy.check(req.ctx, f"identity:get_{self.singular}", target)
            return {self.singular: self.view(req, self._one(connection, id))}

    def create(self, req, body):
        req.svc.policy.check(req.ctx, f"identity:create_{self.singular}s", {})
        with req.svc.db.writer() as connection:
            made = [self.insert(req, connection, dict(g)) for g in body[f"{self.singular}s"]]
        return {f"{self.singular}s": [self.view(req, r) for r in made]}

    def _known(self, req, connection, verb: str, id: str) -> dict:
        """A row that is to change.

        :raises NotFound: there is none; of a limit, as in Keystone, a caller is told so before the rule is asked
        """
        rows.find(connection, self.table, id)  # nobody else changes it before this transaction ends
        if self.target:
            self._one(connection, id)
        req.svc.policy.check(req.ctx, f"identity:{verb}_{self.singular}", {})
        return self._one(connection, id)

    def update(self, req, id, body):
        with req.svc.db.writer() as connection:
            self.on_update(req, connection, self._known(req, connection, "update", id), body[self.singular])
            rows.update(connection, self.table, id, body[self.singular], resource=self.singular)
            return {self.singular: self.view(req, self._one(connection, id))}

    def delete(self, req, id):
        with req.svc.db.writer() as connection:
            self.on_delete(req, connection, self._known(req, connection, "delete", id))
            rows.delete(connection, self.table, id, resource=self.singular)

    def routes(self) -> list[Route]:
        several = {"type": "array", "minItems": 1, "maxItems": 100, "items": schema.obj(self.new, self.required)}
        create = wsgi.body(schema.obj({f"{self.singular}s": several}, [f"{self.singular}s"]))(self.create)
        update = wsgi.body(schema.wrapped(self.singular, self.changes))(self.update)
        path = f"/v3/{self.singular}s"
        return [Route("GET", path, self.index), Route("POST", path, create, 201), Route("GET", path + "/{id}", self.show),
                Route("PATCH", path + "/{id}", update), Route("DELETE", path + "/{id}", self.delete, 204)]


_KINDS = (
    Kind("registered_limit", REGISTERED, _FILTERS, {**_OF, "default_limit": _COUNT},
         ("service_id", "resource_name", "default_limit"), {**_OF, "default_limit": _COUNT}, queries.registered,
         _registered_view, _register, _reregister, _unregister),
    Kind("limit", LIMITS, (*_FILTERS, "project_id", "domain_id"),
         {**_OF, "resource_limit": _COUNT, "project_id": {"type": ["string", "null"], "maxLength": 64},
          "domain_id": {"type": ["string", "null"], "maxLength": 64}},
         ("service_id", "resource_name", "resource_limit"), {"resource_limit": _COUNT, "description": schema.LONG_TEXT},
         queries.limits, _limit_view, _set_limit, lambda req, connection, old, values: None, lambda req, connection, row: None,
         _visible_limits, _limit_target))


def routes() -> list[Route]:
    return [route for kind in _KINDS for route in kind.routes()]


def model(req):
    req.svc.policy.check(req.ctx, "identity:get_limit_model", {})
    return {"model": MODEL}
