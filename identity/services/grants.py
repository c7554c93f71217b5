"""Role assignments: of a user or a group on a project, a domain or the system."""

import typing

from common import errors, rows
from common.calls import Call
from identity import managers, targets
from identity.db import assignments as lists
from identity.db import grants as queries
from identity.db import models

_TABLES = {"projects": models.projects, "domains": models.domains}


def _named(connection, target: str, names: dict) -> dict[str, tuple[dict | None, str]]:
    """{"user", "group", "project", "domain", "role": (its row, its id)} of a path."""
    of = {"user": (models.users, "user_id"), "group": (models.groups, "group_id"), "role": (models.roles, "role_id"),
          target[:-1]: (_TABLES.get(target), "target_id")}
    return {kind: (rows.find(connection, table, names[name]), names[name])
            for kind, (table, name) in of.items() if name in names}


def _rule(verb: str, target: str, holder: str) -> str:
    several = "s" if verb == "list" else ""
    return f"identity:{verb}_system_grant{several}_for_{holder}" if target == "system" else f"identity:{verb}_grant{several}"


def key(call: Call, connection, verb: str, target: str, names: dict, inherited: bool = False) -> dict:
    """The key of an assignment from the ids in a path. As in Keystone, an unknown id is 404 for every caller.

    Domain managers grant and revoke roles within their domain, and only roles that they may grant. The rule's target
    has the domain of the assignment's target, the domain of the user or group, and the role's name.

    :param verb: "list", "check", "create" or "revoke"
    :param names: {"user_id" or "group_id", "target_id", "role_id"}; the system has no target_id
    :raises Forbidden: by the rule; the role belongs to another domain; or the user or group has roles that the caller
        cannot grant
    """
    holder, kind = "group" if "group_id" in names else "user", target if target == "system" else target[:-1]
    named = _named(connection, target, names)
    unknown = {what: id for what, (row, id) in named.items() if row is None}
    if not unknown or unknown.keys() == {holder} and verb == "revoke":
        call.svc.policy.check(call.ctx, _rule(verb, target, holder), {
            **names, **targets.of(**{what: row for what, (row, _) in named.items()})})
    for what, id in unknown.items():
        raise errors.NotFound(f"Could not find {what}: {id}.")
    role, place = (named.get(what, (None, ""))[0] for what in ("role", kind))
    if role and role["domain_id"] and not (place and role["domain_id"] == place.get("domain_id", place["id"])):
        raise errors.Forbidden("A domain-specific role can only be granted on its domain and the projects in it.")
    if verb in ("create", "revoke") and not call.svc.policy.allows(call.ctx, "admin_required", {}):
        managers.protect(call, connection, **{f"{holder}_id": names[f"{holder}_id"]})
        if role is not None and not managers.gives(call, connection, role):
            raise errors.Forbidden(call.svc.policy.refusal % {"rule": _rule(verb, target, holder)})
    return {"target_id": "all", **names, "target_type": f"{kind}/projects" if inherited else kind}


def index(call: Call, target: str, names: dict, *, inherited: bool = False) -> list[dict]:
    """The roles of a user or a group on a target; parameters as for ``key``."""
    with call.svc.db.reader() as connection:
        return queries.roles_given(connection, **key(call, connection, "list", target, names, inherited))


def add(call: Call, target: str, names: dict, *, inherited: bool = False) -> None:
    with call.svc.db.writer() as connection:
        queries.add(connection, **key(call, connection, "create", target, names, inherited))


def check(call: Call, target: str, names: dict, *, inherited: bool = False) -> None:
    with call.svc.db.reader() as connection:
        of = key(call, connection, "check", target, names, inherited)
        if not rows.exists(connection, queries.holder_table(of), **of):
            raise errors.NotFound(f"Could not find role assignment with role: {names['role_id']}.")


def remove(call: Call, target: str, names: dict, *, inherited: bool = False) -> None:
    """Revoking a role revokes the tokens for that target of the user, or of all members of the group."""
    with call.svc.db.writer() as connection:
        of = key(call, connection, "revoke", target, names, inherited)
        if not queries.remove(connection, **of):
            raise errors.NotFound(f"Could not find role assignment with role: {names['role_id']}.")
        scope = {} if target == "system" or inherited else {f"{of['target_type']}_id": of["target_id"]}
        losers = queries.members(connection, of["group_id"]) if "group_id" in of else [of["user_id"]]
        for user_id in losers:
            call.svc.revoke(connection, user_id=user_id, **scope)
    call.svc.revocations.run_once()


def check_list(call: Call, tree_of: str | None, *, tree: bool) -> None:
    """Check the rule of a list against the domain of a domain-scoped token, or of the project whose tree is listed."""
    if not tree:
        call.svc.policy.check(call.ctx, "identity:list_role_assignments", {"target.domain_id": call.ctx.domain_id})
        return
    project = None
    if tree_of:
        with call.svc.db.reader() as connection:
            project = rows.get(connection, models.projects, tree_of, resource="project")
    call.svc.policy.check(call.ctx, "identity:list_role_assignments_for_tree", {
        **targets.of(project=project), "target.domain_id": project and project["domain_id"]})


def assignments(call: Call, wanted: dict[str, typing.Any], *, effective: bool, tree: bool) -> list[dict]:
    """Assignments, after ``check_list``. With a token for a domain those on that domain and its projects.

    :param wanted: {"user_id", "group_id", "role_id", "target_type", "target_id": exact values}
    :param effective: include roles from groups and implied roles
    :param tree: include the projects below that in ``wanted``
    """
    wanted = dict(wanted)
    # Attributes that are only known after groups, implication and inheritance are resolved are filtered afterwards.
    late = {k: wanted.pop(k) for k in ("role_id", "user_id", "target_type", "target_id") if effective and k in wanted}
    with call.svc.db.reader() as connection:
        below = _subtree(connection, wanted if not effective else late) if tree else None
        found = [] if "group_id" in wanted else lists.assigned(connection, "user", wanted)
        found += [] if "user_id" in wanted else lists.assigned(connection, "group", wanted)
        if effective:
            found = [r for r in lists.effective(connection, found) if all(r[k] == v for k, v in late.items())]
    if below is not None:
        found = [r for r in found if r["target_id"] in below]
    if call.ctx.domain_id and not tree:
        found = [r for r in found if call.ctx.domain_id == (
            r["target_id"] if r["target_type"].startswith("domain") else r["project_domain_id"])]
    return found


def _subtree(connection, wanted: dict) -> set[str]:
    """Replace the filter by a project with one by the project and those below it."""
    if wanted.get("target_type") != "project":
        raise errors.BadRequest("scope.project.id must be specified if include_subtree is also specified")
    wanted.pop("target_type")
    top = wanted.pop("target_id")
    return {top} | queries.heirs(connection, set(), {top})
