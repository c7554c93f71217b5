"""Users and their passwords."""

import json

from common import errors, rows, schema
from common.calls import Call
from identity import managers, targets
from identity.compliance import OPTIONS, options_of
from identity.db import models
from identity.services.crud import Noun
from identity.tokens import stamp


def _create(call: Call, connection, values: dict) -> None:
    values["domain_id"] = values["domain_id"] or call.ctx.domain_id or "default"
    rows.get(connection, models.domains, values["domain_id"], resource="domain")
    call.svc.directories.refuse_writes(values["domain_id"])
    values.update(failed_logins=0, external=False)
    _write_options(values, {})
    password = values.pop("password", None)
    values["password_hash"] = None
    if password is not None:
        call.svc.compliance.check(password)
        values.update(call.svc.compliance.columns(values, call.svc.passwords.hash(password), by_admin=True))


def _write_options(values: dict, old: dict) -> None:
    """Options are changed one by one; null deletes one."""
    if values.get("options") is not None:
        merged = {**old, **values["options"]}
        values["options"] = json.dumps({k: v for k, v in merged.items() if v is not None})


def _update(call: Call, connection, old: dict, values: dict) -> None:
    call.svc.directories.refuse_change(old, values)
    managers.protect(call, connection, user_id=old["id"])
    _write_options(values, options_of(old))
    password = values.pop("password", None)
    if password is not None:
        call.svc.compliance.check(password)
        call.svc.compliance.remember(connection, old)
        values.update(call.svc.compliance.columns({**old, **values}, call.svc.passwords.hash(password), by_admin=True))
    if values.get("enabled") is True:
        values["last_active_at"] = None
    if password is not None or (values.get("enabled") is False and old["enabled"]):
        call.svc.revoke(connection, user_id=old["id"])


def _delete(call: Call, connection, row: dict) -> None:
    managers.protect(call, connection, user_id=row["id"])
    if row["enabled"]:
        call.svc.directories.refuse_change(row, ("name",))
    call.svc.revoke(connection, user_id=row["id"])


class _UserNoun(Noun):
    def fields(self, row: dict):
        expires = row["password_expires_at"]
        shown = {**super().fields(row), "password_expires_at": stamp(expires) if expires else None,
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


def change_password(call: Call, id: str, given: dict) -> None:
    """:param given: {"original_password", "password"}"""
    rules = call.svc.compliance
    with call.svc.db.reader() as connection:
        user = rows.find(connection, models.users, id, enabled=True)
    user = call.svc.authenticator.check_password(user, given["original_password"])
    rules.check(given["password"])
    with call.svc.db.reader() as connection:
        used = rules.used(connection, user)
    rules.check_own_change(user, given["password"], used)
    hashed = call.svc.passwords.hash(given["password"])
    with call.svc.db.writer() as connection:
        call.svc.authenticator.still_proved(connection, user)
        rules.remember(connection, user)
        rows.update(connection, models.users, id, rules.columns(user, hashed, by_admin=False), resource="user")
        call.svc.revoke(connection, user_id=id)
    call.svc.revocations.run_once()


def known(call: Call, connection, rule: str, id: str) -> dict:
    """The user in a path, after the rule was checked.

    :raises Forbidden: also for an unknown user, if the caller may not see unknown users
    :raises NotFound: otherwise
    """
    row = rows.find(connection, models.users, id)
    call.svc.policy.check(call.ctx, f"identity:{rule}", {"user_id": id, **targets.of(user=row)})
    if row is None:
        raise errors.NotFound(f"Could not find user: {id}.")
    return row


def check_known(call: Call, rule: str, id: str) -> None:
    """:raises Forbidden, NotFound: as ``known``"""
    with call.svc.db.reader() as connection:
        known(call, connection, rule, id)


def revoke_tokens(call: Call, id: str) -> None:
    with call.svc.db.writer() as connection:
        known(call, connection, "revoke_tokens_for_user", id)
        call.svc.revoke(connection, user_id=id)
    call.svc.revocations.run_once()
