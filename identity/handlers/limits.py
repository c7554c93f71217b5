"""Limits: a service registers what it counts and how many everybody may have; projects and domains get their own.

The model is flat: a project's limit has nothing to do with its parent's.
"""

import dataclasses
import typing

import sqlalchemy as sa

from common import context, errors, rows, schema, wsgi
from common.wsgi import Route
from identity import targets
from identity.db import models

REGISTERED, LIMITS = models.registered_limits, models.limits
_COUNT = schema.integer(-1)
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
    _unique(connection, given)
    row = {"id": context.new_hex(), "description": None, "region_id": None, **given}
    return rows.insert(connection, REGISTERED, row)


def _unique(connection, values: dict, but: str = "") -> None:
    same = sa.select(REGISTERED.c.id).where(REGISTERED.c.service_id == values["service_id"],
                                            REGISTERED.c.region_id.is_not_distinct_from(values.get("region_id")),
                                            REGISTERED.c.resource_name == values["resource_name"], REGISTERED.c.id != but)
    if connection.execute(same).first():
        raise errors.Conflict("Conflict occurred attempting to store registered_limit - Duplicate entry.")


def _reregister(req, connection, old: dict, values: dict) -> None:
    _unique(connection, {**old, **values}, old["id"])
    if set(values) - {"default_limit", "description"} and _used(connection, old["id"]):
        raise errors.Forbidden(f"Unable to update registered limit {old['id']} because there are project limits associated "
                               "with it.")


def _used(connection, registered_id: str) -> bool:
    return connection.execute(sa.select(LIMITS.c.id).where(LIMITS.c.registered_limit_id == registered_id)).first() is not None


def _unregister(req, connection, row: dict) -> None:
    if _used(connection, row["id"]):
        raise errors.Forbidden(f"Unable to delete registered limit {row['id']} because there are project limits associated "
                               "with it.")


def _set_limit(req, connection, given: dict) -> dict:
    """A new limit of one project or domain, written."""
    if bool(given.get("project_id")) == bool(given.get("domain_id")):
        raise errors.BadRequest("A limit is of either a project or a domain.")
    for kind, table in (("project", models.projects), ("domain", models.domains)):
        if given.get(f"{kind}_id"):
            rows.get(connection, table, given[f"{kind}_id"], resource=kind)
    registered = rows.one(connection, sa.select(REGISTERED).where(
        REGISTERED.c.service_id == given["service_id"], REGISTERED.c.resource_name == given["resource_name"],
        REGISTERED.c.region_id.is_not_distinct_from(given.get("region_id"))))
    if registered is None:
        raise errors.Forbidden("Unable to create a limit that has no corresponding registered limit.")
    row = {"id": context.new_hex(), "project_id": given.get("project_id"), "domain_id": given.get("domain_id"),
           "registered_limit_id": registered["id"], "resource_limit": given["resource_limit"],
           "description": given.get("description")}
    same = sa.select(LIMITS.c.id).where(*[LIMITS.c[k].is_not_distinct_from(row[k])
                                          for k in ("project_id", "domain_id", "registered_limit_id")])
    if connection.execute(same).first():
        raise errors.Conflict("Conflict occurred attempting to store limit - Duplicate entry.")
    rows.insert(connection, LIMITS, row)
    return {**row, **{k: registered[k] for k in ("service_id", "region_id", "resource_name")}}


def _registered_query(req):
    wanted = {k: v for k, v in req.GET.items() if k in ("service_id", "region_id", "resource_name")}
    return rows.where_equal(sa.select(REGISTERED).order_by(REGISTERED.c.id), REGISTERED, wanted)


def _limit_query(req):
    query = sa.select(LIMITS, REGISTERED.c.service_id, REGISTERED.c.region_id, REGISTERED.c.resource_name).join(
        REGISTERED, REGISTERED.c.id == LIMITS.c.registered_limit_id).order_by(LIMITS.c.id)
    query = rows.where_equal(query, LIMITS, {k: v for k, v in req.GET.items() if k in ("project_id", "domain_id")})
    return rows.where_equal(query, REGISTERED, {k: v for k, v in req.GET.items() if k in (
        "service_id", "region_id", "resource_name")})


def _limits_seen(req) -> list:
    """Conditions: everybody's for services, administrators and who has a token for the system, else those of the project or
    of the domain and its projects that the caller's token is for."""
    if req.ctx.system or req.svc.policy.allows(req.ctx, "service_or_admin", {}):
        return []
    if req.ctx.domain_id:
        projects = sa.select(models.projects.c.id).where(models.projects.c.domain_id == req.ctx.domain_id)
        return [sa.or_(LIMITS.c.domain_id == req.ctx.domain_id, LIMITS.c.project_id.in_(projects))]
    return [LIMITS.c.project_id == (req.ctx.project_id or "")]


def _limit_target(connection, row: dict) -> dict:
    """What the rule of a limit asks: its project, with the domain of that, or its domain."""
    if row["domain_id"]:
        return {**targets.of(limit=row), "target.limit.domain.id": row["domain_id"]}
    project = rows.one(connection, sa.select(models.projects).where(models.projects.c.id == row["project_id"]))
    return {**targets.of(limit=row), "target.limit.project.domain_id": project and project["domain_id"]}


@dataclasses.dataclass(frozen=True)
class Kind:
    """One of the two: what is registered, and what is set. Several are made by one request."""

    singular: str
    table: sa.Table
    new: dict
    required: tuple
    changes: dict
    query: typing.Callable
    view: typing.Callable
    insert: typing.Callable
    on_update: typing.Callable
    on_delete: typing.Callable
    seen: typing.Callable = lambda req: []  # conditions of a list
    target: typing.Callable | None = None  # what the rule for showing one asks

    def index(self, req):
        req.svc.policy.check(req.ctx, f"identity:list_{self.singular}s", {})
        with req.svc.db.reader() as connection:
            found = rows.many(connection, self.query(req).where(*self.seen(req)))
        return {f"{self.singular}s": [self.view(req, r) for r in found],
                "links": {"self": req.path_url, "next": None, "previous": None}}

    def _one(self, req, connection, id: str) -> dict:
        row = rows.one(connection, self.query(req).where(self.table.c.id == id))
        if row is None:
            raise errors.NotFound(f"Could not find {self.singular}: {id}.")
        return row

    def show(self, req, id):
        with req.svc.db.reader() as connection:
            row = rows.one(connection, self.query(req).where(self.table.c.id == id))
            target = self.target(connection, row) if row and self.target else {}
            req.svc.policy.check(req.ctx, f"identity:get_{self.singular}", target)
            return {self.singular: self.view(req, self._one(req, connection, id))}

    def create(self, req, body):
        req.svc.policy.check(req.ctx, f"identity:create_{self.singular}s", {})
        with req.svc.db.writer() as connection:
            made = [self.insert(req, connection, dict(g)) for g in body[f"{self.singular}s"]]
        return {f"{self.singular}s": [self.view(req, r) for r in made]}

    def _known(self, req, connection, verb: str, id: str) -> dict:
        """A row that is changed. :raises NotFound: of a limit anybody is told, as by Keystone, that there is none"""
        if self.target:
            self._one(req, connection, id)
        req.svc.policy.check(req.ctx, f"identity:{verb}_{self.singular}", {})
        return self._one(req, connection, id)

    def update(self, req, id, body):
        with req.svc.db.writer() as connection:
            self.on_update(req, connection, self._known(req, connection, "update", id), body[self.singular])
            rows.update(connection, self.table, id, body[self.singular], resource=self.singular)
            return {self.singular: self.view(req, self._one(req, connection, id))}

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
    Kind("registered_limit", REGISTERED, {**_OF, "default_limit": _COUNT}, ("service_id", "resource_name", "default_limit"),
         {**_OF, "default_limit": _COUNT}, _registered_query, _registered_view, _register, _reregister, _unregister),
    Kind("limit", LIMITS, {**_OF, "resource_limit": _COUNT, "project_id": {"type": ["string", "null"], "maxLength": 64},
                           "domain_id": {"type": ["string", "null"], "maxLength": 64}},
         ("service_id", "resource_name", "resource_limit"), {"resource_limit": _COUNT, "description": schema.LONG_TEXT},
         _limit_query, _limit_view, _set_limit, lambda req, connection, old, values: None, lambda req, connection, row: None,
         _limits_seen, _limit_target))


def routes() -> list[Route]:
    return [route for kind in _KINDS for route in kind.routes()]


def model(req):
    req.svc.policy.check(req.ctx, "identity:get_limit_model", {})
    return {"model": MODEL}
