"""Access rules: single requests that application credentials may be limited to. They belong to a user, for use again."""

from common import context, errors, rows, schema
from identity.db import models
from identity.handlers import users

TABLE, LINKS = models.access_rules, models.application_credential_rules
_NAMES = ("service", "method", "path")
SCHEMA = {"oneOf": [
    schema.obj({"id": schema.NAME}, ["id"]),
    schema.obj({"service": {"type": "string", "minLength": 1, "maxLength": 64}, "id": schema.NAME,
                "method": {"enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]},
                "path": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "/.*"}}, _NAMES)]}


def plain(row: dict) -> dict:
    return {k: row[k] for k in ("id", *_NAMES)}


def settle(connection, user_id: str, wanted: dict) -> str:
    """The id of an access rule of the user: the one that is named, an existing one with the same content, or a new one.

    :raises NotFound: he has none of that id
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
    row = {"id": context.new_hex(), "user_id": user_id, **{k: wanted[k] for k in _NAMES}}
    rows.insert(connection, TABLE, row)
    return row["id"]


def _view(req, row: dict) -> dict:
    return {**plain(row), "links": {"self": f"{req.base_url()}/v3/users/{row['user_id']}/access_rules/{row['id']}"}}


def index(req, id):
    wanted = {k: v for k, v in req.GET.items() if k in _NAMES}
    with req.svc.db.reader() as connection:
        users.known(req, connection, "list_access_rules", id)
        found = rows.select(connection, TABLE, user_id=id, **wanted)
    return {"access_rules": [_view(req, r) for r in found], "links": {"self": req.path_url, "next": None, "previous": None}}


def show(req, id, rule_id):
    with req.svc.db.reader() as connection:
        users.known(req, connection, "get_access_rule", id)
        return {"access_rule": _view(req, rows.get(connection, TABLE, rule_id, resource="access_rule", user_id=id))}


def delete(req, id, rule_id):
    with req.svc.db.writer() as connection:
        users.known(req, connection, "delete_access_rule", id)
        rows.get(connection, TABLE, rule_id, resource="access_rule", user_id=id)
        if rows.exists(connection, LINKS, access_rule_id=rule_id):
            raise errors.Forbidden(f"Access rule {rule_id} is in use by an application credential.")
        rows.delete(connection, TABLE, rule_id, resource="access_rule")
