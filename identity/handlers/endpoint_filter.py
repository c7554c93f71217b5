"""OS-EP-FILTER: groups of endpoints, and which endpoints and groups a project is given."""

from common import errors, rows, schema
from common.wsgi import Route
from identity.db import endpoint_filter, models
from identity.handlers.crud import Noun
from identity.handlers.endpoints import NOUN as ENDPOINT
from identity.handlers.projects import NOUN as PROJECT

DIRECT, BY_GROUP = endpoint_filter.DIRECT, endpoint_filter.BY_GROUP
_FILTERS = schema.obj({"service_id": schema.NAME, "region_id": {"type": "string", "maxLength": 255},
                       "interface": {"enum": ["public", "internal", "admin"]}})


class _GroupNoun(Noun):
    def view(self, req, row):
        shown = super().view(req, row)
        shown["links"]["self"] = f"{req.base_url()}/v3/OS-EP-FILTER/endpoint_groups/{row['id']}"
        return shown


def _given(req, connection, values) -> None:
    if not values.get("filters"):
        raise errors.BadRequest("An endpoint group needs filters: service_id, region_id or interface.")


def _changed(req, connection, old, values) -> None:
    if "filters" in values:
        values["filters"] = {**old["filters"], **values["filters"]}


GROUP = _GroupNoun("endpoint_group", "endpoint_groups", models.endpoint_groups,
                   {"name": schema.NAME, "description": schema.LONG_TEXT, "filters": _FILTERS}, ("name", "filters"), ("name",),
                   on_create=_given, on_update=_changed)


def _listed(req, plural: str, found: list) -> dict:
    return {plural: found, "links": {"self": req.path_url, "next": None, "previous": None}}


def _check(req, rule: str) -> None:
    req.svc.policy.check(req.ctx, f"identity:{rule}", {})


def _pair(connection, table, id: str, project_id: str) -> dict:
    """The key of an association from a path's ids; each must name something."""
    kind, own = ("endpoint", models.endpoints) if table is DIRECT else ("endpoint_group", models.endpoint_groups)
    rows.get(connection, own, id, resource=kind)
    rows.get(connection, models.projects, project_id, resource="project")
    return {"project_id": project_id, f"{kind}_id": id}


def _associations(table, kind: str, *, rules: dict[str, str]) -> dict:
    """The requests for one association.

    :param rules: {"add", "check", "remove", "projects": what is asked}
    """
    def known(connection, pair: dict) -> None:
        if not rows.exists(connection, table, **pair):
            raise errors.NotFound(f"The {kind.replace('_', ' ')} is not associated with the project.")

    def add(req, id, project_id):
        _check(req, rules["add"])
        with req.svc.db.writer() as connection:
            pair = _pair(connection, table, id, project_id)
            if not rows.exists(connection, table, **pair):
                rows.insert(connection, table, pair)

    def check(req, id, project_id):
        _check(req, rules["check"])
        with req.svc.db.reader() as connection:
            known(connection, _pair(connection, table, id, project_id))

    def remove(req, id, project_id):
        _check(req, rules["remove"])
        with req.svc.db.writer() as connection:
            pair = _pair(connection, table, id, project_id)
            known(connection, pair)
            rows.delete_where(connection, table, **pair)

    def projects(req, id):
        _check(req, rules["projects"])
        with req.svc.db.reader() as connection:
            rows.get(connection, models.endpoints if table is DIRECT else models.endpoint_groups, id, resource=kind)
            found = endpoint_filter.projects(connection, table, **{f"{kind}_id": id})
        return _listed(req, "projects", [PROJECT.view(req, r) for r in found])
    return {"add": add, "check": check, "remove": remove, "projects": projects}


def endpoints_of_group(req, id):
    _check(req, "list_endpoints_associated_with_endpoint_group")
    with req.svc.db.reader() as connection:
        group = rows.get(connection, models.endpoint_groups, id, resource="endpoint_group")
        found = endpoint_filter.endpoints_of_group(connection, group)
    return _listed(req, "endpoints", [ENDPOINT.view(req, r) for r in found])


def endpoints_of_project(req, project_id):
    _check(req, "list_endpoints_for_project")
    with req.svc.db.reader() as connection:
        rows.get(connection, models.projects, project_id, resource="project")
        found = endpoint_filter.endpoints_of_project(connection, project_id)
    return _listed(req, "endpoints", [ENDPOINT.view(req, r) for r in found])


def groups_of_project(req, project_id):
    _check(req, "list_endpoint_groups_for_project")
    with req.svc.db.reader() as connection:
        rows.get(connection, models.projects, project_id, resource="project")
        found = endpoint_filter.groups_of_project(connection, project_id)
    return _listed(req, "endpoint_groups", [GROUP.view(req, r) for r in found])


def routes() -> list[Route]:
    base = "/v3/OS-EP-FILTER"
    groups = base + "/endpoint_groups"
    direct = _associations(DIRECT, "endpoint", rules={
        "add": "add_endpoint_to_project", "check": "check_endpoint_in_project", "remove": "remove_endpoint_from_project",
        "projects": "list_projects_for_endpoint"})
    by_group = _associations(BY_GROUP, "endpoint_group", rules={
        "add": "add_endpoint_group_to_project", "check": "get_endpoint_group_in_project",
        "remove": "remove_endpoint_group_from_project", "projects": "list_projects_associated_with_endpoint_group"})
    one, another = base + "/projects/{project_id}/endpoints/{id}", groups + "/{id}/projects/{project_id}"
    return [
        Route("GET", groups, GROUP.index), Route("POST", groups, GROUP.create, 201), Route("GET", groups + "/{id}", GROUP.show),
        Route("PATCH", groups + "/{id}", GROUP.update), Route("DELETE", groups + "/{id}", GROUP.delete, 204),
        Route("GET", groups + "/{id}/endpoints", endpoints_of_group),
        Route("GET", groups + "/{id}/projects", by_group["projects"]),
        Route("PUT", another, by_group["add"], 204), Route("GET", another, by_group["check"], 200),
        Route("DELETE", another, by_group["remove"], 204),
        Route("GET", base + "/endpoints/{id}/projects", direct["projects"]),
        Route("GET", base + "/projects/{project_id}/endpoints", endpoints_of_project),
        Route("GET", base + "/projects/{project_id}/endpoint_groups", groups_of_project),
        Route("PUT", one, direct["add"], 204), Route("GET", one, direct["check"], 204),
        Route("DELETE", one, direct["remove"], 204)]
