"""OS-EP-FILTER: endpoint groups, and their and endpoints' associations with projects."""

from common.wsgi import Route
from identity.handlers.crud import Crud
from identity.handlers.endpoints import CRUD as ENDPOINT
from identity.handlers.projects import CRUD as PROJECT
from identity.services import endpoint_filter as service

GROUP = Crud(service.GROUP, "/v3/OS-EP-FILTER")


def _associations(of: service.Associations) -> dict:
    """The requests for one kind of association."""
    def add(req, id, project_id):
        of.add(req.call, id, project_id)

    def check(req, id, project_id):
        of.check(req.call, id, project_id)

    def remove(req, id, project_id):
        of.remove(req.call, id, project_id)

    def projects(req, id):
        return PROJECT.many(req, of.projects(req.call, id))
    return {"add": add, "check": check, "remove": remove, "projects": projects}


def endpoints_of_group(req, id):
    return ENDPOINT.many(req, service.endpoints_of_group(req.call, id))


def endpoints_of_project(req, project_id):
    return ENDPOINT.many(req, service.endpoints_of_project(req.call, project_id))


def groups_of_project(req, project_id):
    return GROUP.many(req, service.groups_of_project(req.call, project_id))


def routes() -> list[Route]:
    base = "/v3/OS-EP-FILTER"
    groups = base + "/endpoint_groups"
    direct, by_group = _associations(service.DIRECT), _associations(service.BY_GROUP)
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
