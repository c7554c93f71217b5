"""Credentials: secrets of a user for other ways to authenticate (ec2, totp). The blob is encrypted in the database."""

import hashlib
import json
import typing

from common import context, document, errors, rows
from common.calls import Call
from identity import targets, totp
from identity.db import grants, models

TABLE = models.credentials


def _target(row: dict | None) -> dict:
    # The target without ids: one decision applies to all credentials of a user with the same type and project.
    return targets.of(credential={k: row[k] for k in ("user_id", "project_id", "type")} if row else None)


def shows_secret(call: Call, row: dict) -> bool:
    """Whether the caller sees the secret: only callers who may change the credential do, since the secret
    authenticates its user."""
    return call.svc.policy.allows(call.ctx, "identity:update_credential", _target(row))


def _find(call: Call, connection, id: str, verb: str) -> dict:
    row = rows.find(connection, TABLE, id)
    call.svc.policy.check(call.ctx, f"identity:{verb}_credential", _target(row))
    if row is None:
        raise errors.NotFound(f"Could not find credential: {id}.")
    return row


def _text(blob) -> str:
    return blob if isinstance(blob, str) else json.dumps(blob)
# Keystone records the origin of a key with these attributes. Here, tokens that act for a user cannot create keys. An
# imported key with such an attribute keeps it, and is not accepted as the user's own (identity/services/ec2.py).
ORIGINS = ("trust_id", "app_cred_id", "access_token_id", "access_id")


def origins(blob: str) -> dict:
    """The delegation that the blob of an EC2 key records; empty: the key acts for its user."""
    return {k: v for k, v in json.loads(blob).items() if k in ORIGINS and v is not None}


def digest(access: str) -> str:
    """The key by which an EC2 access key is found: EC2 clients refer to a credential by it alone. The digest of the
    first key is the credential's id, as in OpenStack."""
    return hashlib.sha256(access.encode("utf-8", "replace")).hexdigest()


def chain_of(row: dict) -> str:
    """The chain (of audit ids) of all tokens that an EC2 credential's signatures resulted in, for their revocation."""
    return hashlib.sha256(f"ec2credential\n{row['id']}".encode()).hexdigest()[:32]


def _access_digest(kind: str, blob: str) -> str | None:
    if kind != "ec2":
        return None
    try:
        parsed = document.parse(blob.encode())
        if not isinstance(parsed["secret"], str):
            raise ValueError
        return digest(parsed["access"])
    except (errors.BadRequest, ValueError, KeyError, TypeError, AttributeError):
        raise errors.BadRequest("Invalid blob in credential: an ec2 credential is JSON with access and secret.") from None


def _check_secret(kind: str, blob: str) -> None:
    if kind == "totp":
        try:
            totp.passcode(blob, 0)
        except ValueError as error:
            raise errors.BadRequest(f"Invalid blob in credential: {error}.") from None


def index(call: Call, wanted: dict[str, typing.Any]) -> list[dict]:
    """The credentials that the caller may see.

    :param wanted: {"user_id", "type": exact values}
    """
    own = {} if call.ctx.system else {"target.credential.user_id": call.ctx.user_id}
    call.svc.policy.check(call.ctx, "identity:list_credentials", own)
    with call.svc.db.reader() as connection:
        found = rows.select(connection, TABLE, **wanted)
    return [r for r in found if call.svc.policy.allows(call.ctx, "identity:get_credential", _target(r))]


def show(call: Call, id: str):
    with call.svc.db.reader() as connection:
        return _find(call, connection, id, "get")


def create(call: Call, given: dict) -> dict:
    """:param given: the body, as the client sent it"""
    user_id, blob = given.get("user_id") or call.ctx.user_id, _text(given["blob"])
    call.svc.policy.check(call.ctx, "identity:create_credential", targets.of(credential={**given, "user_id": user_id}))
    if given["type"] == "ec2" and not given.get("project_id"):
        raise errors.BadRequest("Invalid value: an ec2 credential needs a project_id.")
    _check_secret(given["type"], blob)
    key = _access_digest(given["type"], blob)
    row = {"id": key or context.new_hex(), "access_digest": key, "type": given["type"], "user_id": user_id,
           "project_id": given.get("project_id"), "encrypted_blob": call.svc.vault.seal(blob)}
    with call.svc.db.writer() as connection:
        rows.get(connection, models.users, user_id, resource="user")
        check_project(call, connection, row)
        rows.insert(connection, TABLE, row, conflict="Conflict occurred attempting to store credential - Duplicate entry.")
    return row


def check_project(call: Call, connection, row: dict) -> None:
    """:raises Forbidden: the owner has no role on the credential's project, and the caller is not an administrator"""
    if row["project_id"] and not call.svc.policy.allows(call.ctx, "admin_required", {}) and not grants.roles_on(
            connection, row["user_id"], "project", row["project_id"]):
        raise errors.Forbidden("The user has no role on that project.")


def update(call: Call, id: str, given: dict) -> dict:
    """Only the blob and the project can be changed. Tokens created with the old values are revoked."""
    with call.svc.db.writer() as connection:
        row = _find(call, connection, id, "update")
        for name in ("type", "user_id"):
            if given.get(name, row[name]) != row[name]:
                raise errors.BadRequest(f"The {name} of a credential cannot be changed.")
        if row["type"] == "ec2" and not given.get("project_id", row["project_id"]):
            raise errors.BadRequest("Invalid value: an ec2 credential needs a project_id.")
        row["project_id"] = given.get("project_id", row["project_id"])
        check_project(call, connection, row)
        if "blob" in given:
            blob = _text(given["blob"])
            _check_secret(row["type"], blob)
            key = _access_digest(row["type"], blob)
            if row["type"] == "ec2" and origins(blob) != origins(call.svc.vault.open(row["encrypted_blob"])):
                raise errors.BadRequest(f"{', '.join(ORIGINS)} can not be updated for credential.")
            row |= {"encrypted_blob": call.svc.vault.seal(blob), "access_digest": key}
        rows.update(connection, TABLE, id, {k: row[k] for k in ("encrypted_blob", "access_digest", "project_id")},
                    resource="credential", conflict="Another credential has that access key.")
        call.svc.revoke(connection, audit_chain_id=chain_of(row))
    call.svc.revocations.run_once()
    return row


def delete(call: Call, id: str) -> None:
    with call.svc.db.writer() as connection:
        end(call, connection, _find(call, connection, id, "delete"))
    call.svc.revocations.run_once()


def end(call: Call, connection, row: dict) -> None:
    """Delete a credential and revoke the tokens created by its signatures."""
    rows.delete(connection, TABLE, row["id"], resource="credential")
    call.svc.revoke(connection, audit_chain_id=chain_of(row))
