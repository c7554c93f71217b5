"""Role assignments: of a user or a group on a project, a domain or the system."""

from common import errors, wsgi
from identity.handlers.roles import CRUD as ROLE
from identity.services import grants


def index(target, *, inherited: bool = False):
    def handler(req, **names):
        return ROLE.many(req, grants.index(req.call, target, names, inherited=inherited))
    return handler


def add(target, *, inherited: bool = False):
    def handler(req, **names):
        grants.add(req.call, target, names, inherited=inherited)
    return handler


def check(target, *, inherited: bool = False):
    def handler(req, **names):
        grants.check(req.call, target, names, inherited=inherited)
    return handler


def remove(target, *, inherited: bool = False):
    def handler(req, **names):
        grants.remove(req.call, target, names, inherited=inherited)
    return handler


def _filters(req) -> dict:
    wanted = {"user_id": req.GET.get("user.id"), "group_id": req.GET.get("group.id"), "role_id": req.GET.get("role.id")}
    for kind, name in (("project", "scope.project.id"), ("domain", "scope.domain.id")):
        if req.GET.get(name):
            wanted.update(target_type=kind, target_id=req.GET[name])
    if "scope.system" in req.GET:
        wanted.update(target_type="system")
    if "target_type" in wanted and req.GET.get("scope.OS-INHERIT:inherited_to") == "projects" and not wsgi.flag(req, "effective"):
        wanted["target_type"] += "/projects"
    return {k: v for k, v in wanted.items() if v}


def assignments(req):
    """List assignments. ``effective`` shows the roles of users, including those from groups and implied roles.

    With a domain-scoped token it shows those on that domain and its projects.
    """
    tree, effective = wsgi.flag(req, "include_subtree"), wsgi.flag(req, "effective")
    grants.check_list(req.call, req.GET.get("scope.project.id"), tree=tree)
    names = wsgi.flag(req, "include_names")
    wanted = _filters(req)
    _check_filters(req, effective)
    found = grants.assignments(req.call, wanted, effective=effective, tree=tree)
    if req.GET.get("scope.OS-INHERIT:inherited_to") == "projects" and not effective:
        found = [r for r in found if r["target_type"].endswith("/projects")]
    return {"role_assignments": [_view(req, row, names) for row in found],
            "links": {"self": req.path_url, "next": None, "previous": None}}


# Each assignment has only one of these: the filter for it.
_BY = {"domain": "scope.domain.id", "project": "scope.project.id", "system": "scope.system", "user": "user.id",
       "group": "group.id"}
_EITHER = (("domain", "project"), ("system", "domain"), ("system", "project"), ("user", "group"))


def _check_filters(req, effective: bool) -> None:
    """:raises BadRequest: combinations of filters that match nothing"""
    for one, other in _EITHER:
        if req.GET.get(_BY[one]) and req.GET.get(_BY[other]):
            raise errors.BadRequest(f"Specify {'' if one == 'system' else 'a '}{one} or {other}, not both")
    if effective and req.GET.get("group.id"):
        raise errors.BadRequest("Combining effective and group filter will always result in an empty list.")
    if effective and req.GET.get("scope.domain.id") and req.GET.get("scope.OS-INHERIT:inherited_to") == "projects":
        raise errors.BadRequest("Combining effective, domain and inherited filters will always result in an empty list.")


def _view(req, row, names: bool) -> dict:
    kind, _, inherited = row["target_type"].partition("/")
    holder, base = "group" if "group_id" in row else "user", req.base_url()
    holder_id = row[f"{holder}_id"]
    who: dict = {"id": holder_id}
    role: dict = {"id": row["role_id"]}
    target: dict = {"id": row["target_id"]}
    if names:
        who.update(name=row["holder_name"], domain={"id": row["holder_domain_id"], "name": row["holder_domain_name"]})
        role.update(name=row["role_name"])
        target.update({"name": row["project_name"],
                       "domain": {"id": row["project_domain_id"], "name": row["project_domain_name"]}}
                      if kind == "project" else {"name": row["domain_name"]})
    scope: dict = {"system": {"all": True}} if kind == "system" else {kind: target}
    path = "system" if kind == "system" else f"{kind}s/{row['target_id']}"
    link = f"{path}/{holder}s/{holder_id}/roles/{row['role_id']}"
    if inherited:
        scope["OS-INHERIT:inherited_to"] = inherited
        link = f"OS-INHERIT/{link}/inherited_to_projects"
    return {holder: who, "role": role, "scope": scope, "links": {"assignment": f"{base}/v3/{link}"}}
