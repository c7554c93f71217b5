"""Access rules: the requests that application credentials may be limited to. They belong to a user, and can be reused."""

import typing

from common import context, errors, rows
from common.calls import Call
from identity.db import models
from identity.services import users

TABLE, LINKS = models.access_rules, models.application_credential_rules
NAMES = ("service", "method", "path")


def plain(row: dict) -> dict:
    return {k: row[k] for k in ("id", *NAMES)}


def settle(connection, user_id: str, wanted: dict) -> str:
    """The id of an access rule of the user: the one with the given id, an existing one with the same content, or a
    new one.

    :raises NotFound: the user has no rule with this id
    """
    if set(wanted) == {"id"}:
        known = rows.find(connection, TABLE, wanted["id"], user_id=user_id)
    else:
        same = {"service": wanted["service"], "method": wanted["method"]}
        known = rows.find(connection, TABLE, wanted["path"], key="path", user_id=user_id, **same)
    if known is not None:
        return known["id"]
    if set(wanted) == {"id"}:
        raise errors.NotFound(f"Could not find access rule: {wanted['id']}.")
    row = {"id": context.new_hex(), "user_id": user_id, **{k: wanted[k] for k in NAMES}}
    rows.insert(connection, TABLE, row)
    return row["id"]


def index(call: Call, id: str, wanted: dict[str, typing.Any]) -> list[dict]:
    with call.svc.db.reader() as connection:
        users.known(call, connection, "list_access_rules", id)
        return rows.select(connection, TABLE, user_id=id, **wanted)


def show(call: Call, id: str, rule_id: str):
    with call.svc.db.reader() as connection:
        users.known(call, connection, "get_access_rule", id)
        return rows.get(connection, TABLE, rule_id, resource="access_rule", user_id=id)


def delete(call: Call, id: str, rule_id: str) -> None:
    with call.svc.db.writer() as connection:
        users.known(call, connection, "delete_access_rule", id)
        rows.get(connection, TABLE, rule_id, resource="access_rule", user_id=id)
        if rows.exists(connection, LINKS, access_rule_id=rule_id):
            raise errors.Forbidden(f"Access rule {rule_id} is in use by an application credential.")
        rows.delete(connection, TABLE, rule_id, resource="access_rule")
