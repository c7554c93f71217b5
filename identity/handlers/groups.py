"""Groups of users. Members have the roles of the group."""

from common import errors, rows, schema
from identity import managers, targets
from identity.db import grants, models
from identity.db import groups as queries
from identity.handlers.crud import Noun
from identity.handlers.users import NOUN as USER
from identity.handlers.users import known

MEMBERS = models.memberships


def _create(req, connection, values):
    values["domain_id"] = values["domain_id"] or req.ctx.domain_id or "default"
    rows.get(connection, models.domains, values["domain_id"], resource="domain")
    req.svc.directories.refuse_writes(values["domain_id"])
    values["external"] = False
    values["description"] = values["description"] or ""


def _update(req, connection, old, values):
    req.svc.directories.refuse_change(old, values)
    managers.protect(req, connection, group_id=old["id"])


def _delete(req, connection, row):
    """Members lose what the group gave them, and the tokens that carry it."""
    managers.protect(req, connection, group_id=row["id"])
    for user_id in grants.members(connection, row["id"]):
        req.svc.revoke(connection, user_id=user_id)


NOUN = Noun("group", "groups", models.groups,
            {"name": {**schema.NAME, "maxLength": 64}, "description": schema.LONG_TEXT,
             "domain_id": {"type": ["string", "null"], "maxLength": 64}},
            ("name",), ("name", "domain_id"), hidden=("external",), on_create=_create, on_update=_update, on_delete=_delete,
            domain_target="target.group.domain_id", unknown_first=("delete",))
show, create, update, delete = NOUN.show, NOUN.create, NOUN.update, NOUN.delete


def index(req):
    return req.svc.directories.listed(req, NOUN)


def _pair(req, connection, rule: str, id: str, user_id: str, *, changes: bool) -> dict:
    """The key of the membership that a path names. For a domain manager, both must be in the manager's domain.

    :raises Forbidden: also where it is the mirror of a directory's group that would change
    """
    group, user = rows.find(connection, models.groups, id), rows.find(connection, models.users, user_id)
    req.svc.policy.check(req.ctx, f"identity:{rule}", {"group_id": id, "user_id": user_id, **targets.of(group=group, user=user)})
    for kind, row, named in (("group", group, id), ("user", user, user_id)):
        if row is None:
            raise errors.NotFound(f"Could not find {kind}: {named}.")
    if changes:
        req.svc.directories.refuse_change(group, ("members",))
        managers.protect(req, connection, group_id=id)
        managers.protect(req, connection, user_id=user_id)
    return {"group_id": id, "user_id": user_id}


def add(req, id, user_id):
    with req.svc.db.writer() as connection:
        pair = _pair(req, connection, "add_user_to_group", id, user_id, changes=True)
        if not rows.exists(connection, MEMBERS, **pair):
            rows.insert(connection, MEMBERS, pair)


def check(req, id, user_id):
    with req.svc.db.reader() as connection:
        pair = _pair(req, connection, "check_user_in_group", id, user_id, changes=False)
        if not rows.exists(connection, MEMBERS, **pair):
            raise errors.NotFound(f"Could not find user {user_id} in group {id}.")


def remove(req, id, user_id):
    with req.svc.db.writer() as connection:
        pair = _pair(req, connection, "remove_user_from_group", id, user_id, changes=True)
        if not rows.delete_where(connection, MEMBERS, **pair):
            raise errors.NotFound(f"Could not find user {user_id} in group {id}.")
        req.svc.revoke(connection, user_id=user_id)
    req.svc.revocations.run_once()


def users(req, id):
    """The members of a group."""
    with req.svc.db.reader() as connection:
        group = rows.find(connection, models.groups, id)
    req.svc.policy.check(req.ctx, "identity:list_users_in_group", {"group_id": id, **targets.of(group=group)})
    if group is None:
        raise errors.NotFound(f"Could not find group: {id}.")
    if group["external"]:
        req.svc.directories.refresh(group["domain_id"])
    with req.svc.db.reader() as connection:
        found = queries.members(connection, id, *USER.in_own_domain(req))
    return {"users": [USER.view(req, r) for r in found], "links": {"self": req.path_url, "next": None, "previous": None}}


def of_user(req, id):
    """The groups of a user."""
    with req.svc.db.reader() as connection:
        known(req, connection, "list_groups_for_user", id)
        found = queries.of_user(connection, id, *NOUN.in_own_domain(req))
    return {"groups": [NOUN.view(req, r) for r in found], "links": {"self": req.path_url, "next": None, "previous": None}}
