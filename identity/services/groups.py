"""Groups of users. Members have the roles of the group."""

from common import errors, rows, schema
from common.calls import Call
from identity import managers, targets
from identity.db import grants, models
from identity.db import groups as queries
from identity.services.crud import Noun
from identity.services.users import NOUN as USER
from identity.services.users import known

MEMBERS = models.memberships


def _create(call: Call, connection, values: dict) -> None:
    values["domain_id"] = values["domain_id"] or call.ctx.domain_id or "default"
    rows.get(connection, models.domains, values["domain_id"], resource="domain")
    call.svc.directories.refuse_writes(values["domain_id"])
    values["external"] = False
    values["description"] = values["description"] or ""


def _update(call: Call, connection, old: dict, values: dict) -> None:
    call.svc.directories.refuse_change(old, values)
    managers.protect(call, connection, group_id=old["id"])


def _delete(call: Call, connection, row: dict) -> None:
    """Members lose the roles of the group, and their tokens with these roles are revoked."""
    managers.protect(call, connection, group_id=row["id"])
    for user_id in grants.members(connection, row["id"]):
        call.svc.revoke(connection, user_id=user_id)


NOUN = Noun("group", "groups", models.groups,
            {"name": {**schema.NAME, "maxLength": 64}, "description": schema.LONG_TEXT,
             "domain_id": {"type": ["string", "null"], "maxLength": 64}},
            ("name",), ("name", "domain_id"), hidden=("external",), on_create=_create, on_update=_update, on_delete=_delete,
            domain_target="target.group.domain_id", unknown_first=("delete",))


def _pair(call: Call, connection, rule: str, id: str, user_id: str, *, changes: bool) -> dict:
    """The key of the membership in a path. For a domain manager, both must be in the manager's domain.

    :raises Forbidden: also if a directory's group would change
    """
    group, user = rows.find(connection, models.groups, id), rows.find(connection, models.users, user_id)
    call.svc.policy.check(call.ctx, f"identity:{rule}", {
        "group_id": id, "user_id": user_id, **targets.of(group=group, user=user)})
    for kind, row, named in (("group", group, id), ("user", user, user_id)):
        if row is None:
            raise errors.NotFound(f"Could not find {kind}: {named}.")
    if changes:
        call.svc.directories.refuse_change(group, ("members",))
        managers.protect(call, connection, group_id=id)
        managers.protect(call, connection, user_id=user_id)
    return {"group_id": id, "user_id": user_id}


def add(call: Call, id: str, user_id: str) -> None:
    with call.svc.db.writer() as connection:
        pair = _pair(call, connection, "add_user_to_group", id, user_id, changes=True)
        if not rows.exists(connection, MEMBERS, **pair):
            rows.insert(connection, MEMBERS, pair)


def check(call: Call, id: str, user_id: str) -> None:
    with call.svc.db.reader() as connection:
        pair = _pair(call, connection, "check_user_in_group", id, user_id, changes=False)
        if not rows.exists(connection, MEMBERS, **pair):
            raise errors.NotFound(f"Could not find user {user_id} in group {id}.")


def remove(call: Call, id: str, user_id: str) -> None:
    with call.svc.db.writer() as connection:
        pair = _pair(call, connection, "remove_user_from_group", id, user_id, changes=True)
        if not rows.delete_where(connection, MEMBERS, **pair):
            raise errors.NotFound(f"Could not find user {user_id} in group {id}.")
        call.svc.revoke(connection, user_id=user_id)
    call.svc.revocations.run_once()


def members(call: Call, id: str) -> list[dict]:
    """The users in a group."""
    with call.svc.db.reader() as connection:
        group = rows.find(connection, models.groups, id)
    call.svc.policy.check(call.ctx, "identity:list_users_in_group", {"group_id": id, **targets.of(group=group)})
    if group is None:
        raise errors.NotFound(f"Could not find group: {id}.")
    if group["external"]:
        call.svc.directories.refresh(group["domain_id"])
    with call.svc.db.reader() as connection:
        return queries.members(connection, id, *USER.in_own_domain(call))


def of_user(call: Call, id: str) -> list[dict]:
    """The groups of a user."""
    with call.svc.db.reader() as connection:
        known(call, connection, "list_groups_for_user", id)
        return queries.of_user(connection, id, *NOUN.in_own_domain(call))
