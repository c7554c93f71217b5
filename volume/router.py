"""The routes of the volume API. A project in the path must be that of the token."""

import functools

from common import errors
from common.wsgi import Route
from volume.handlers import (
    actions,
    attachments,
    limits,
    metadata,
    resource_filters,
    services,
    snapshots,
    type_access,
    type_specs,
    types,
    versions,
    volumes,
)


def _own(handler):
    @functools.wraps(handler)
    def inner(req, project_id, **params):
        if project_id != req.ctx.project_id:
            raise errors.BadRequest("Malformed request url")
        return handler(req, **params)
    return inner


def _route(method, path, handler, status=200, versions=None) -> list[Route]:
    """With the project in the path, and without it, which clients may omit since 3.67."""
    return [Route(method, "/v3/{project_id}" + path, _own(handler), status, versions),
            Route(method, "/v3" + path, handler, status, versions)]


_ATTACH = ((3, 27), None)
ROUTES = [Route("GET", "/", versions.index, 300), Route("GET", "/v3", versions.show)] + [r for rows in (
    _route("GET", "/volumes/detail", volumes.detail), _route("GET", "/volumes/summary", volumes.summary,
                                                             versions=((3, 12), None)),
    _route("GET", "/volumes", volumes.index), _route("POST", "/volumes", volumes.create, 202),
    _route("GET", "/volumes/{id}", volumes.show), _route("PUT", "/volumes/{id}", volumes.update),
    _route("DELETE", "/volumes/{id}", volumes.delete, 202), _route("POST", "/volumes/{id}/action", actions.act, 202),
    *metadata.routes("/volumes/{id}/metadata", _route, volumes.METADATA),
    _route("GET", "/snapshots", snapshots.index), _route("GET", "/snapshots/detail", snapshots.detail),
    _route("POST", "/snapshots", snapshots.create, 202), _route("GET", "/snapshots/{id}", snapshots.show),
    _route("PUT", "/snapshots/{id}", snapshots.update), _route("DELETE", "/snapshots/{id}", snapshots.delete, 202),
    _route("POST", "/snapshots/{id}/action", snapshots.act, 202),
    *metadata.routes("/snapshots/{id}/metadata", _route, snapshots.METADATA),
    _route("GET", "/types", types.index), _route("POST", "/types", types.create),
    _route("GET", "/types/default", types.default), _route("GET", "/types/{id}", types.show),
    _route("PUT", "/types/{id}", types.update), _route("DELETE", "/types/{id}", types.delete, 202),
    _route("GET", "/types/{id}/extra_specs", type_specs.index), _route("POST", "/types/{id}/extra_specs", type_specs.create),
    _route("GET", "/types/{id}/extra_specs/{key}", type_specs.show),
    _route("PUT", "/types/{id}/extra_specs/{key}", type_specs.update),
    _route("DELETE", "/types/{id}/extra_specs/{key}", type_specs.delete, 202),
    _route("GET", "/types/{id}/os-volume-type-access", type_access.index),
    _route("POST", "/types/{id}/action", type_access.act, 202),
    _route("GET", "/attachments", attachments.index, versions=_ATTACH),
    _route("GET", "/attachments/detail", attachments.index, versions=_ATTACH),
    _route("POST", "/attachments", attachments.create, versions=_ATTACH),
    _route("GET", "/attachments/{id}", attachments.show, versions=_ATTACH),
    _route("PUT", "/attachments/{id}", attachments.update, versions=_ATTACH),
    _route("DELETE", "/attachments/{id}", attachments.delete, versions=_ATTACH),
    _route("POST", "/attachments/{id}/action", attachments.complete, 204, ((3, 44), None)),
    _route("GET", "/limits", limits.show), _route("GET", "/os-quota-sets/{target}", limits.quota),
    _route("PUT", "/os-quota-sets/{target}", limits.quota_update),
    _route("DELETE", "/os-quota-sets/{target}", limits.quota_delete),
    _route("GET", "/os-quota-sets/{target}/defaults", limits.quota_defaults),
    _route("GET", "/os-services", services.index), _route("PUT", "/os-services/{action}", services.update),
    _route("GET", "/os-availability-zone", services.zones), _route("GET", "/extensions", services.extensions),
    _route("GET", "/scheduler-stats/get_pools", services.pools),
    _route("GET", "/resource_filters", resource_filters.index, versions=(resource_filters.SINCE, None)),
) for r in rows]
# The actions in the body of POST .../action.
ACTIONS = {*actions.ACTIONS, *snapshots.ACTIONS, *type_access.ACTIONS, "os-complete"}
