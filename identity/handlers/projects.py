"""Projects, which own resources."""

from common import errors, wsgi
from identity.handlers.crud import Crud, query
from identity.services import projects

CRUD = Crud(projects.NOUN)
AS_DOMAIN = Crud(projects.ACTS_AS_DOMAIN)


def _as_project(req, row: dict) -> dict:
    return {**AS_DOMAIN.view(req, row), "is_domain": True, "domain_id": None, "parent_id": None, "tags": [], "options": {},
            "links": {"self": f"{req.base_url()}/v3/projects/{row['id']}"}}


def _or_domain(req, id: str, for_project, for_domain):
    """Apply an operation to a project, or, if the id is a domain's, to the domain as a project."""
    try:
        return for_project()
    except errors.NotFound:
        if not projects.is_domain(req.call, id):
            raise
        return for_domain()


def index(req):
    """Projects; with ``is_domain`` the domains as projects, which are not in the domain of a token."""
    if not wsgi.flag(req, "is_domain"):
        return CRUD.index(req)
    projects.NOUN.check_list(req.call, query(req))
    found = projects.ACTS_AS_DOMAIN.listed(req.call, query(req))
    return {"projects": [_as_project(req, d) for d in found if not req.ctx.domain_id],
            "links": {"self": req.path_url, "next": None, "previous": None}}


def _of_domain(given) -> dict:
    """The domain's body for a project that acts as a domain.

    :raises BadRequest: invalid for a project
    """
    if not isinstance(given, dict):
        raise errors.BadRequest("'project' is a required property")
    return {"domain": {k: v for k, v in given.items() if k not in ("is_domain", "domain_id", "parent_id", "tags", "options")}}


def create(req):
    body = req.json_object()
    given = body.get("project")
    if not (isinstance(given, dict) and given.get("is_domain")):
        return CRUD.create(req)
    if given["is_domain"] is not True:
        raise errors.BadRequest("Invalid input for field/attribute is_domain: a boolean is expected.")
    if given.get("domain_id") or given.get("parent_id"):
        raise errors.BadRequest("A project that acts as a domain has neither a domain nor a parent.")
    return {"project": _as_project(req, projects.ACTS_AS_DOMAIN.create(req.call, _of_domain(given)))}


def update(req, id):
    def of_domain():
        given = _of_domain(req.json_object().get("project"))
        return {"project": _as_project(req, projects.ACTS_AS_DOMAIN.update(req.call, id, given))}
    return _or_domain(req, id, lambda: CRUD.update(req, id), of_domain)


def delete(req, id):
    return _or_domain(req, id, lambda: CRUD.delete(req, id), lambda: AS_DOMAIN.delete(req, id))


def show(req, id):
    """A project, with the projects above it (``parents_as_list``, ``parents_as_ids``) or below it (``subtree_…``)."""
    def of_domain():
        return {"project": _as_project(req, projects.ACTS_AS_DOMAIN.show(req.call, id))}
    return _or_domain(req, id, lambda: _show(req, id), of_domain)


def _show(req, id):
    row = projects.NOUN.show(req.call, id)
    shown = CRUD.one(req, row)
    wanted = {n for n in ("parents_as_list", "parents_as_ids", "subtree_as_list", "subtree_as_ids") if wsgi.flag(req, n)}
    for kind in ("parents", "subtree"):
        if {f"{kind}_as_list", f"{kind}_as_ids"} <= wanted:
            raise errors.BadRequest(f"Cannot use {kind}_as_list and {kind}_as_ids query params at the same time.")
    every, own = projects.tree_of(req.call, row) if wanted else ({}, set())
    for name in wanted:
        kind, _, form = name.partition("_as_")
        shown["project"][kind] = _TREE[kind, form](req, every, id)
        if form == "list":  # without a role on them, the caller sees only that the projects exist
            shown["project"][kind] = [each for each in shown["project"][kind] if each["project"]["id"] in own]
    return shown


def _above(every: dict, id: str) -> list[dict]:
    found = []
    while (id := every[id]["parent_id"]) in every:
        found.append(every[id])
    return found


def _below(every: dict, id: str) -> list[dict]:
    own = [r for r in every.values() if r["parent_id"] == id]
    return [x for r in own for x in (r, *_below(every, r["id"]))]


def _parent_ids(req, every: dict, id: str) -> dict | None:
    found: dict | None = None
    for row in reversed(_above(every, id)):
        found = {row["id"]: found}
    return found


def _child_ids(req, every: dict, id: str) -> dict | None:
    return {r["id"]: _child_ids(req, every, r["id"]) for r in every.values() if r["parent_id"] == id} or None


_TREE = {("parents", "ids"): _parent_ids, ("subtree", "ids"): _child_ids,
         ("parents", "list"): lambda req, every, id: [{"project": CRUD.view(req, r)} for r in _above(every, id)],
         ("subtree", "list"): lambda req, every, id: [{"project": CRUD.view(req, r)} for r in _below(every, id)]}
