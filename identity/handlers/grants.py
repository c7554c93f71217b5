"""Role assignments: of a user or a group on a project, a domain or the system."""

from common import errors, rows, wsgi
from identity import managers, targets
from identity.db import assignments as lists
from identity.db import grants as queries
from identity.db import models
from identity.handlers.roles import NOUN as ROLE

_TABLES = {"projects": models.projects, "domains": models.domains}


def _named(connection, target: str, names: dict) -> dict[str, tuple[dict | None, str]]:
    """{"user", "group", "project", "domain", "role": (its row, its id)} of what a path names."""
    of = {"user": (models.users, "user_id"), "group": (models.groups, "group_id"), "role": (models.roles, "role_id"),
          target[:-1]: (_TABLES.get(target), "target_id")}
    return {kind: (rows.find(connection, table, names[name]), names[name])
            for kind, (table, name) in of.items() if name in names}


def _rule(verb: str, target: str, holder: str) -> str:
    several = "s" if verb == "list" else ""
    return f"identity:{verb}_system_grant{several}_for_{holder}" if target == "system" else f"identity:{verb}_grant{several}"


def key(req, connection, verb: str, target: str, names: dict, inherited: bool = False) -> dict:
    """The key of an assignment from the ids in a path. As in Keystone, an unknown id is 404 for every caller.

    Who rules a domain gives and takes within it, and no more than he may have himself: what the rule is asked is the
    domain of the target, that of the holder, and the role's name.

    :param verb: "list", "check", "create" or "revoke"
    :param names: {"user_id" or "group_id", "target_id", "role_id"}; the system has no target_id
    :raises Forbidden: by the rule; the role is another domain's; or the holder has more than the caller gives
    """
    holder, kind = "group" if "group_id" in names else "user", target if target == "system" else target[:-1]
    named = _named(connection, target, names)
    unknown = {what: id for what, (row, id) in named.items() if row is None}
    if not unknown or unknown.keys() == {holder} and verb == "revoke":
        req.svc.policy.check(req.ctx, _rule(verb, target, holder), {
            **names, **targets.of(**{what: row for what, (row, _) in named.items()})})
    for what, id in unknown.items():
        raise errors.NotFound(f"Could not find {what}: {id}.")
    role, place = (named.get(what, (None, ""))[0] for what in ("role", kind))
    if role and role["domain_id"] and not (place and role["domain_id"] == place.get("domain_id", place["id"])):
        raise errors.Forbidden("A domain-specific role can only be granted on its domain and the projects in it.")
    if verb in ("create", "revoke") and not req.svc.policy.allows(req.ctx, "admin_required", {}):
        managers.protect(req, connection, **{f"{holder}_id": names[f"{holder}_id"]})
        if role is not None and not managers.gives(req, connection, role):
            raise errors.Forbidden(req.svc.policy.refusal % {"rule": _rule(verb, target, holder)})
    return {"target_id": "all", **names, "target_type": f"{kind}/projects" if inherited else kind}


def index(target, *, inherited: bool = False):
    def handler(req, **names):
        with req.svc.db.reader() as connection:
            of = key(req, connection, "list", target, names, inherited)
            found = queries.roles_given(connection, **of)
        return {"roles": [ROLE.view(req, r) for r in found],
                "links": {"self": req.path_url, "next": None, "previous": None}}
    return handler


def add(target, *, inherited: bool = False):
    def handler(req, **names):
        with req.svc.db.writer() as connection:
            queries.add(connection, **key(req, connection, "create", target, names, inherited))
    return handler


def check(target, *, inherited: bool = False):
    def handler(req, **names):
        with req.svc.db.reader() as connection:
            of = key(req, connection, "check", target, names, inherited)
            if not rows.exists(connection, queries.holder_table(of), **of):
                raise errors.NotFound(f"Could not find role assignment with role: {names['role_id']}.")
    return handler


def remove(target, *, inherited: bool = False):
    """Taking a role away revokes the tokens for that target of the user, or of every member of the group."""
    def handler(req, **names):
        with req.svc.db.writer() as connection:
            of = key(req, connection, "revoke", target, names, inherited)
            if not queries.remove(connection, **of):
                raise errors.NotFound(f"Could not find role assignment with role: {names['role_id']}.")
            scope = {} if target == "system" or inherited else {f"{of['target_type']}_id": of["target_id"]}
            losers = queries.members(connection, of["group_id"]) if "group_id" in of else [of["user_id"]]
            for user_id in losers:
                req.svc.revoke(connection, user_id=user_id, **scope)
        req.svc.revocations.run_once()
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
    """List assignments. ``effective`` shows what users have: through groups, and implied roles too.

    With a token for a domain it shows those on that domain and its projects.
    """
    tree = wsgi.flag(req, "include_subtree")
    with req.svc.db.reader() as connection:
        _check_assignments(req, connection, tree)
    names = wsgi.flag(req, "include_names")
    effective, wanted = wsgi.flag(req, "effective"), _filters(req)
    _check_filters(req, effective)
    # What only shows when groups, implication and inheritance are resolved is filtered after that.
    late = {k: wanted.pop(k) for k in ("role_id", "user_id", "target_type", "target_id") if effective and k in wanted}
    with req.svc.db.reader() as connection:
        below = _subtree(req, connection, wanted if not effective else late)
        found = [] if "group_id" in wanted else lists.assigned(connection, "user", wanted)
        found += [] if "user_id" in wanted else lists.assigned(connection, "group", wanted)
        if effective:
            found = [r for r in lists.effective(connection, found) if all(r[k] == v for k, v in late.items())]
    if below is not None:
        found = [r for r in found if r["target_id"] in below]
    if req.GET.get("scope.OS-INHERIT:inherited_to") == "projects" and not effective:
        found = [r for r in found if r["target_type"].endswith("/projects")]
    if req.ctx.domain_id and not tree:
        found = [r for r in found if req.ctx.domain_id == (
            r["target_id"] if r["target_type"].startswith("domain") else r["project_domain_id"])]
    return {"role_assignments": [_view(req, row, names) for row in found],
            "links": {"self": req.path_url, "next": None, "previous": None}}


# Of what an assignment has one only: the filter by it.
_BY = {"domain": "scope.domain.id", "project": "scope.project.id", "system": "scope.system", "user": "user.id",
       "group": "group.id"}
_EITHER = (("domain", "project"), ("system", "domain"), ("system", "project"), ("user", "group"))


def _check_filters(req, effective: bool) -> None:
    """:raises BadRequest: filters that nothing can pass"""
    for one, other in _EITHER:
        if req.GET.get(_BY[one]) and req.GET.get(_BY[other]):
            raise errors.BadRequest(f"Specify {'' if one == 'system' else 'a '}{one} or {other}, not both")
    if effective and req.GET.get("group.id"):
        raise errors.BadRequest("Combining effective and group filter will always result in an empty list.")
    if effective and req.GET.get("scope.domain.id") and req.GET.get("scope.OS-INHERIT:inherited_to") == "projects":
        raise errors.BadRequest("Combining effective, domain and inherited filters will always result in an empty list.")


def _check_assignments(req, connection, tree: bool) -> None:
    """Check the rule against the domain of a domain-scoped token, or of the project whose tree is listed."""
    if not tree:
        req.svc.policy.check(req.ctx, "identity:list_role_assignments", {"target.domain_id": req.ctx.domain_id})
        return
    project = None
    if req.GET.get("scope.project.id"):
        project = rows.get(connection, models.projects, req.GET["scope.project.id"], resource="project")
    req.svc.policy.check(req.ctx, "identity:list_role_assignments_for_tree", {
        **targets.of(project=project), "target.domain_id": project and project["domain_id"]})


def _subtree(req, connection, wanted: dict) -> set[str] | None:
    """With ``include_subtree``: the project asked for and those below it, in place of the filter by it alone."""
    if not wsgi.flag(req, "include_subtree"):
        return None
    if wanted.get("target_type") != "project":
        raise errors.BadRequest("scope.project.id must be specified if include_subtree is also specified")
    wanted.pop("target_type")
    top = wanted.pop("target_id")
    return {top} | queries.heirs(connection, set(), {top})


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
