"""Projects: the owners of everything."""

import dataclasses

from common import errors, rows, schema, tags, wsgi
from identity import targets
from identity.db import grants, models
from identity.db import projects as queries
from identity.handlers import project_tags
from identity.handlers.crud import Noun
from identity.handlers.domains import NOUN as DOMAIN


def _create(req, connection, values):
    values["domain_id"] = values["domain_id"] or req.ctx.domain_id or "default"
    domain, above = rows.get(connection, models.domains, values["domain_id"], resource="domain"), {}
    if values["parent_id"] and values["parent_id"] != values["domain_id"]:
        parent = rows.get(connection, models.projects, values["parent_id"], resource="project")
        if parent["domain_id"] != values["domain_id"]:
            raise errors.BadRequest("A project must be in the domain of its parent.")
        above = queries.enabled_above(connection, parent["id"])
    disabled = next((id for id, enabled in {domain["id"]: domain["enabled"], **above}.items() if not enabled), None)
    if disabled:
        raise errors.BadRequest(f"cannot create a project in a branch containing a disabled project: {disabled}")
    if len(above) >= req.svc.conf.identity.max_project_tree_depth:
        raise errors.Forbidden(f"Max hierarchy depth reached for {values['parent_id']} branch.")
    values["parent_id"] = values["parent_id"] or values["domain_id"]
    values["description"] = values["description"] or ""
    values["tags"] = project_tags.text(values["tags"] or [])


def _check_branch(connection, row: dict, enabled: bool) -> None:
    """All projects above an enabled one must be enabled, and all below a disabled one disabled.

    :raises Forbidden: it would not be so
    """
    domain = rows.get(connection, models.domains, row["domain_id"], resource="domain")
    above = {**queries.enabled_above(connection, row["id"]), row["id"]: domain["enabled"]}
    if enabled and not all(above.values()):
        raise errors.Forbidden(f"Cannot enable project {row['id']} since it has disabled parents")
    if not enabled and any(queries.enabled_below(connection, row["id"]).values()):
        raise errors.Forbidden(f"Cannot disable project {row['id']} since its subtree contains enabled projects.")


def _update(req, connection, old, values):
    # Roles are inherited from above: moving a project would change who has access to it.
    if values.get("parent_id", old["parent_id"]) != old["parent_id"]:
        raise errors.Forbidden("Update of `parent_id` is not allowed.")
    if "tags" in values:
        values["tags"] = project_tags.text(values["tags"])
    if values.get("enabled", old["enabled"]) != old["enabled"]:
        _check_branch(connection, old, values["enabled"])
    if values.get("enabled") is False and old["enabled"]:
        req.svc.revoke(connection, project_id=old["id"])


def _delete(req, connection, row):
    if rows.exists(connection, models.projects, parent_id=row["id"]):
        raise errors.Forbidden("Cannot delete a project that has children.")
    req.svc.revoke(connection, project_id=row["id"])
    grants.forget_target(connection, [row["id"]])


class _ProjectNoun(Noun):
    def view(self, req, row):
        return {**super().view(req, row), "is_domain": False, "tags": project_tags.of(row), "options": {}}

    def where(self, req):
        return [queries.tagged(n, req.GET.getall(n)) for n in tags.FILTERS if n in req.GET]


NOUN = _ProjectNoun("project", "projects", models.projects,
                    {"name": {**schema.NAME, "maxLength": 64}, "description": schema.LONG_TEXT,
                     "enabled": {"type": "boolean"}, "domain_id": {"type": ["string", "null"], "maxLength": 64},
                     "parent_id": {"type": ["string", "null"], "maxLength": 64}, "tags": project_tags.LIST},
                    ("name",), ("name", "enabled", "domain_id", "parent_id"), on_create=_create,
                    on_update=_update, on_delete=_delete, domain_target="target.domain_id")


class _ActsAsDomain(Noun):
    """A domain as a project that acts as a domain, by the rules of projects. Such a project is in no domain."""

    def rule(self, verb, row):
        return f"identity:{verb}_project"

    def target(self, row):
        return targets.of(project={k: row.get(k) for k in ("id", "name", "enabled")})


ACTS_AS_DOMAIN = _ActsAsDomain(**{f.name: getattr(DOMAIN, f.name) for f in dataclasses.fields(DOMAIN)} | {"unknown_first": ()})


def _as_project(req, shown: dict) -> dict:
    return {**shown, "is_domain": True, "domain_id": None, "parent_id": None, "tags": [], "options": {},
            "links": {"self": f"{req.base_url()}/v3/projects/{shown['id']}"}}


def _or_domain(req, id: str, for_project, for_domain):
    """Run an operation on a project, or, if the id is a domain's, on the domain as a project."""
    try:
        return for_project()
    except errors.NotFound:
        with req.svc.db.reader() as connection:
            if rows.find(connection, models.domains, id) is None:
                raise
        return for_domain()


def index(req):
    """Projects; with ``is_domain`` the domains, as projects, none of which is in the domain of a token."""
    if not wsgi.flag(req, "is_domain"):
        return NOUN.index(req)
    NOUN.check_list(req)
    found = ACTS_AS_DOMAIN.listed(req)
    return {"projects": [_as_project(req, d) for d in found["domains"] if not req.ctx.domain_id], "links": found["links"]}


def _of_domain(given) -> dict:
    """The body that the domain of such a project is made or changed by.

    :raises BadRequest: what was given is no project
    """
    if not isinstance(given, dict):
        raise errors.BadRequest("'project' is a required property")
    return {"domain": {k: v for k, v in given.items() if k not in ("is_domain", "domain_id", "parent_id", "tags", "options")}}


def create(req):
    body = req.json_object()
    given = body.get("project")
    if not (isinstance(given, dict) and given.get("is_domain")):
        return NOUN.make(req, body)
    if given["is_domain"] is not True:
        raise errors.BadRequest("Invalid input for field/attribute is_domain: it is true or false.")
    if given.get("domain_id") or given.get("parent_id"):
        raise errors.BadRequest("A project that acts as a domain has neither a domain nor a parent.")
    return {"project": _as_project(req, ACTS_AS_DOMAIN.make(req, _of_domain(given))["domain"])}


def update(req, id):
    body = req.json_object()

    def of_domain():
        return {"project": _as_project(req, ACTS_AS_DOMAIN.change(req, id, _of_domain(body.get("project")))["domain"])}
    return _or_domain(req, id, lambda: NOUN.change(req, id, body), of_domain)


def delete(req, id):
    return _or_domain(req, id, lambda: NOUN.delete(req, id), lambda: ACTS_AS_DOMAIN.delete(req, id))


def show(req, id):
    """A project, with the projects above it (``parents_as_list``, ``parents_as_ids``) or below it (``subtree_…``)."""
    def of_domain():
        return {"project": _as_project(req, ACTS_AS_DOMAIN.show(req, id)["domain"])}
    return _or_domain(req, id, lambda: _show(req, id), of_domain)


def _show(req, id):
    shown = NOUN.show(req, id)
    wanted = {n for n in ("parents_as_list", "parents_as_ids", "subtree_as_list", "subtree_as_ids") if wsgi.flag(req, n)}
    for kind in ("parents", "subtree"):
        if {f"{kind}_as_list", f"{kind}_as_ids"} <= wanted:
            raise errors.BadRequest(f"Cannot use {kind}_as_list and {kind}_as_ids query params at the same time.")
    if wanted:
        with req.svc.db.reader() as connection:
            every = {r["id"]: r for r in rows.select(connection, models.projects, domain_id=shown["project"]["domain_id"])}
            own = set(grants.targets_of(connection, req.ctx.user_id, "project"))
        for name in wanted:
            kind, _, form = name.partition("_as_")
            shown["project"][kind] = _TREE[kind, form](req, every, id)
            if form == "list":  # where the caller has no role he sees that there is a project, and nothing of it
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
         ("parents", "list"): lambda req, every, id: [{"project": NOUN.view(req, r)} for r in _above(every, id)],
         ("subtree", "list"): lambda req, every, id: [{"project": NOUN.view(req, r)} for r in _below(every, id)]}
