"""Users and their passwords."""

import json

from common import errors, rows, schema, wsgi
from identity import managers, targets
from identity.compliance import OPTIONS, options_of
from identity.db import models
from identity.handlers.auth import own_targets
from identity.handlers.crud import Noun
from identity.handlers.projects import NOUN as PROJECT
from identity.tokens import stamp


def _create(req, connection, values):
    values["domain_id"] = values["domain_id"] or req.ctx.domain_id or "default"
    rows.get(connection, models.domains, values["domain_id"], resource="domain")
    req.svc.directories.refuse_writes(values["domain_id"])
    values.update(failed_logins=0, external=False)
    _write_options(values, {})
    password = values.pop("password", None)
    values["password_hash"] = None
    if password is not None:
        req.svc.compliance.check(password)
        values.update(req.svc.compliance.columns(values, req.svc.passwords.hash(password), by_admin=True))


def _write_options(values: dict, old: dict) -> None:
    """Options change one by one; null takes one away."""
    if values.get("options") is not None:
        merged = {**old, **values["options"]}
        values["options"] = json.dumps({k: v for k, v in merged.items() if v is not None})


def _update(req, connection, old, values):
    req.svc.directories.refuse_change(old, values)
    managers.protect(req, connection, user_id=old["id"])
    _write_options(values, options_of(old))
    password = values.pop("password", None)
    if password is not None:
        req.svc.compliance.check(password)
        req.svc.compliance.remember(connection, old)
        values.update(req.svc.compliance.columns({**old, **values}, req.svc.passwords.hash(password), by_admin=True))
    if values.get("enabled") is True:
        values["last_active_at"] = None
    if password is not None or (values.get("enabled") is False and old["enabled"]):
        req.svc.revoke(connection, user_id=old["id"])


def _delete(req, connection, row):
    managers.protect(req, connection, user_id=row["id"])
    if row["enabled"]:
        req.svc.directories.refuse_change(row, ("name",))
    req.svc.revoke(connection, user_id=row["id"])


class _UserNoun(Noun):
    def view(self, req, row):
        expires = row["password_expires_at"]
        shown = {**super().view(req, row), "password_expires_at": stamp(expires) if expires else None,
                 "options": options_of(row)}
        return {k: v for k, v in shown.items() if v is not None or k not in ("email", "description",
                                                                             "default_project_id")}


NOUN = _UserNoun("user", "users", models.users,
                 {"name": schema.NAME, "password": {"type": ["string", "null"], "maxLength": 4096},
                  "domain_id": {"type": ["string", "null"], "maxLength": 64}, "enabled": {"type": "boolean"},
                  "default_project_id": {"type": ["string", "null"], "maxLength": 64},
                  "description": schema.LONG_TEXT, "email": schema.TEXT, "options": OPTIONS},
                 ("name",), ("name", "enabled", "domain_id"),
                 hidden=("password_hash", "password_created_at", "failed_logins", "failed_at", "last_active_at", "external"),
                 on_create=_create, on_update=_update, on_delete=_delete,
                 domain_target="target.domain_id")
show, create, update, delete = NOUN.show, NOUN.create, NOUN.update, NOUN.delete


def index(req):
    return req.svc.directories.listed(req, NOUN)


@wsgi.body(schema.wrapped("user", {"password": {"type": "string", "maxLength": 4096},
                                   "original_password": {"type": "string", "maxLength": 4096}},
                          ("password", "original_password")))
def password(req, id, body):
    """Change one's own password, proved by the old one: a user whose password has expired has no token."""
    change_password(req, id, body["user"])


def change_password(req, id: str, given: dict) -> None:
    rules = req.svc.compliance
    with req.svc.db.reader() as connection:
        user = rows.find(connection, models.users, id, enabled=True)
    user = req.svc.authenticator.check_password(user, given["original_password"])
    rules.check(given["password"])
    with req.svc.db.reader() as connection:
        used = rules.used(connection, user)
    rules.check_own_change(user, given["password"], used)
    hashed = req.svc.passwords.hash(given["password"])
    with req.svc.db.writer() as connection:
        req.svc.authenticator.still_proved(connection, user)
        rules.remember(connection, user)
        rows.update(connection, models.users, id, rules.columns(user, hashed, by_admin=False), resource="user")
        req.svc.revoke(connection, user_id=id)
    req.svc.revocations.run_once()


def projects(req, id):
    with req.svc.db.reader() as connection:
        known(req, connection, "list_user_projects", id)
    return {"projects": [PROJECT.view(req, r) for r in own_targets(req, id, "project")],
            "links": {"self": req.path_url, "next": None, "previous": None}}


def known(req, connection, rule: str, id: str) -> dict:
    """The user in a path, against whom the rule is checked.

    :raises Forbidden: also where there is no such user, for who might not see him; :raises NotFound: for the others
    """
    row = rows.find(connection, models.users, id)
    req.svc.policy.check(req.ctx, f"identity:{rule}", {"user_id": id, **targets.of(user=row)})
    if row is None:
        raise errors.NotFound(f"Could not find user: {id}.")
    return row


def revoke_tokens(req, id):
    """Revoke all tokens of a user, for example one whose password is kept by a directory or an identity provider."""
    with req.svc.db.writer() as connection:
        known(req, connection, "revoke_tokens_for_user", id)
        req.svc.revoke(connection, user_id=id)
    req.svc.revocations.run_once()
