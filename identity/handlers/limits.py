"""Limits: services register defaults for their resources; projects and domains get limits of their own.

The model is flat: a project's limit is independent of its parent's.
"""

import dataclasses
import typing

from common import schema, wsgi
from common.wsgi import Route
from identity.schemas import limits as schemas
from identity.services import limits

_FILTERS = ("service_id", "region_id", "resource_name")


def _registered_view(req, row: dict) -> dict:
    return {**row, "links": {"self": f"{req.base_url()}/v3/registered_limits/{row['id']}"}}


def _limit_view(req, row: dict) -> dict:
    kept = ("id", "project_id", "domain_id", "service_id", "region_id", "resource_name", "resource_limit", "description")
    return {**{k: row[k] for k in kept}, "links": {"self": f"{req.base_url()}/v3/limits/{row['id']}"}}


@dataclasses.dataclass(frozen=True)
class Handlers:
    """The handlers of one kind of limit."""

    kind: limits.Kind
    filters: tuple
    new: dict
    required: tuple
    changes: dict
    view: typing.Callable

    def index(self, req):
        wanted = {name: req.GET[name] for name in self.filters if name in req.GET}
        return {f"{self.kind.singular}s": [self.view(req, r) for r in self.kind.index(req.call, wanted)],
                "links": {"self": req.path_url, "next": None, "previous": None}}

    def show(self, req, id):
        return {self.kind.singular: self.view(req, self.kind.show(req.call, id))}

    def create(self, req, body):
        plural = f"{self.kind.singular}s"
        return {plural: [self.view(req, r) for r in self.kind.create(req.call, body[plural])]}

    def update(self, req, id, body):
        return {self.kind.singular: self.view(req, self.kind.update(req.call, id, body[self.kind.singular]))}

    def delete(self, req, id):
        self.kind.delete(req.call, id)

    def routes(self) -> list[Route]:
        singular = self.kind.singular
        several = {"type": "array", "minItems": 1, "maxItems": 100, "items": schema.obj(self.new, self.required)}
        create = wsgi.body(schema.obj({f"{singular}s": several}, [f"{singular}s"]))(self.create)
        update = wsgi.body(schema.wrapped(singular, self.changes))(self.update)
        path = f"/v3/{singular}s"
        return [Route("GET", path, self.index), Route("POST", path, create, 201), Route("GET", path + "/{id}", self.show),
                Route("PATCH", path + "/{id}", update), Route("DELETE", path + "/{id}", self.delete, 204)]


_KINDS = (
    Handlers(limits.REGISTERED_LIMIT, _FILTERS, {**schemas.OF, "default_limit": schemas.COUNT},
             ("service_id", "resource_name", "default_limit"), {**schemas.OF, "default_limit": schemas.COUNT}, _registered_view),
    Handlers(limits.LIMIT, (*_FILTERS, "project_id", "domain_id"),
             {**schemas.OF, "resource_limit": schemas.COUNT, "project_id": {"type": ["string", "null"], "maxLength": 64},
              "domain_id": {"type": ["string", "null"], "maxLength": 64}},
             ("service_id", "resource_name", "resource_limit"),
             {"resource_limit": schemas.COUNT, "description": schema.LONG_TEXT}, _limit_view))


def routes() -> list[Route]:
    return [route for kind in _KINDS for route in kind.routes()]


def model(req):
    return {"model": limits.model(req.call)}
