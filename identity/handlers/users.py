"""Users and their passwords."""

from common import errors, rows, schema, wsgi
from identity.db import models
from identity.handlers.auth import own_targets
from identity.handlers.crud import Noun


def _create(req, connection, values):
    values["domain_id"] = values["domain_id"] or req.ctx.domain_id or req.ctx.project_domain_id or "default"
    rows.get(connection, models.domains, values["domain_id"], resource="domain")
    password = values.pop("password", None)
    values["password_hash"] = req.svc.passwords.hash(password) if password is not None else None


def _update(req, connection, old, values):
    password = values.pop("password", None)
    if password is not None:
        values["password_hash"] = req.svc.passwords.hash(password)
    if password is not None or (values.get("enabled") is False and old["enabled"]):
        req.svc.revoke(connection, user_id=old["id"])


def _delete(req, connection, row):
    req.svc.revoke(connection, user_id=row["id"])


class _UserNoun(Noun):
    def view(self, req, row):
        shown = {**super().view(req, row), "password_expires_at": None, "options": {}}
        return {k: v for k, v in shown.items() if v is not None or k not in ("email", "description",
                                                                             "default_project_id")}


NOUN = _UserNoun("user", "users", models.users,
                 {"name": schema.NAME, "password": {"type": ["string", "null"], "maxLength": 4096},
                  "domain_id": {"type": ["string", "null"], "maxLength": 64}, "enabled": {"type": "boolean"},
                  "default_project_id": {"type": ["string", "null"], "maxLength": 64},
                  "description": schema.LONG_TEXT, "email": schema.TEXT},
                 ("name",), ("name", "enabled", "domain_id"), hidden=("password_hash",), on_create=_create,
                 on_update=_update, on_delete=_delete, target=lambda row: {"user_id": row["id"]})
index, show, create, update, delete = NOUN.index, NOUN.show, NOUN.create, NOUN.update, NOUN.delete


@wsgi.body(schema.wrapped("user", {"password": {"type": "string", "maxLength": 4096},
                                   "original_password": {"type": "string", "maxLength": 4096}},
                          ("password", "original_password")))
def password(req, id, body):
    req.svc.policy.check(req.ctx, "identity:change_password", {"user_id": id})
    with req.svc.db.reader() as connection:
        user = rows.get(connection, models.users, id, resource="user")
    if not req.svc.passwords.matches(body["user"]["original_password"], user["password_hash"]):
        raise errors.Unauthorized()
    hashed = req.svc.passwords.hash(body["user"]["password"])
    with req.svc.db.writer() as connection:
        rows.update(connection, models.users, id, {"password_hash": hashed}, resource="user")
        req.svc.revoke(connection, user_id=id)
    req.svc.revocations.run_once()


def projects(req, id):
    from identity.handlers.projects import NOUN as PROJECT
    req.svc.policy.check(req.ctx, "identity:list_user_projects", {"user_id": id})
    return {"projects": [PROJECT.view(req, r) for r in own_targets(req, id, models.projects, "project")],
            "links": {"self": req.path_url, "next": None, "previous": None}}
