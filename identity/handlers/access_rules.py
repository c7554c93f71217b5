"""Access rules: single requests that application credentials may be limited to. They belong to a user, for use again."""

import sqlalchemy as sa

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
    """The id of a rule of the user: one that he names, one that says the same, or a new one.

    :raises NotFound: he has none of that id
    """
    where = [TABLE.c.id == wanted["id"]] if set(wanted) == {"id"} else [TABLE.c[k] == wanted[k] for k in _NAMES]
    known = rows.one(connection, sa.select(TABLE).where(TABLE.c.user_id == user_id, *where))
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
    query = rows.where_equal(sa.select(TABLE).where(TABLE.c.user_id == id).order_by(TABLE.c.id), TABLE,
                             {k: v for k, v in req.GET.items() if k in _NAMES})
    with req.svc.db.reader() as connection:
        users.known(req, connection, "list_access_rules", id)
        found = rows.many(connection, query)
    return {"access_rules": [_view(req, r) for r in found], "links": {"self": req.path_url, "next": None, "previous": None}}


def show(req, id, rule_id):
    with req.svc.db.reader() as connection:
        users.known(req, connection, "get_access_rule", id)
        return {"access_rule": _view(req, rows.get(connection, TABLE, rule_id, resource="access_rule", user_id=id))}


def delete(req, id, rule_id):
    with req.svc.db.writer() as connection:
        users.known(req, connection, "delete_access_rule", id)
        rows.get(connection, TABLE, rule_id, resource="access_rule", user_id=id)
        if connection.execute(sa.select(LINKS).where(LINKS.c.access_rule_id == rule_id)).first():
            raise errors.Forbidden(f"Access rule {rule_id} is in use by an application credential.")
        rows.delete(connection, TABLE, rule_id, resource="access_rule")
