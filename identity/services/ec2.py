"""EC2 credentials of users: an access key and a secret for one project. They are stored as credentials, encrypted."""

import json
import secrets
import time
import typing

from common import errors, rows
from common.calls import Call
from identity import signatures, targets, tokens
from identity.db import grants, models, used_proofs
from identity.services import credentials

TABLE = models.credentials


def _find(call: Call, connection, id: str, access: str, rule: str) -> dict:
    """An EC2 credential of a user. :raises NotFound: there is none, for every caller; :raises Forbidden: by the rule"""
    row = rows.find(connection, TABLE, credentials.digest(access), key="access_digest", user_id=id)
    if row is None:
        raise errors.NotFound(f"Could not find credential: {access}.")
    call.svc.policy.check(call.ctx, f"identity:{rule}", {"user_id": id, **targets.of(credential=row)})
    return row


def index(call: Call, id: str):
    call.svc.policy.check(call.ctx, "identity:ec2_list_credentials", {"user_id": id})
    with call.svc.db.reader() as connection:
        rows.get(connection, models.users, id, resource="user")
        return rows.select(connection, TABLE, user_id=id, type="ec2")


def create(call: Call, id: str, project_id: str) -> dict:
    """Create a key for a project on which the user has a role."""
    call.svc.policy.check(call.ctx, "identity:ec2_create_credential", {"user_id": id, "target.credential.user_id": id})
    blob = {"access": secrets.token_hex(16), "secret": secrets.token_hex(16)}
    key = credentials.digest(blob["access"])
    row = {"id": key, "access_digest": key, "type": "ec2", "user_id": id, "project_id": project_id,
           "encrypted_blob": call.svc.vault.seal(json.dumps(blob))}
    with call.svc.db.writer() as connection:
        rows.get(connection, models.users, id, resource="user")
        rows.get(connection, models.projects, project_id, resource="project")
        if not grants.roles_on(connection, id, "project", project_id):
            raise errors.Forbidden("The user has no role on that project.")
        rows.insert(connection, TABLE, row)
    return row


def show(call: Call, id: str, access: str):
    with call.svc.db.reader() as connection:
        return _find(call, connection, id, access, "ec2_get_credential")


def delete(call: Call, id: str, access: str) -> None:
    with call.svc.db.writer() as connection:
        credentials.end(call, connection, _find(call, connection, id, access, "ec2_delete_credential"))
    call.svc.revocations.run_once()


def exchange(call: Call, signed: dict, rule: str, check: typing.Callable[[dict, str], str]) -> tuple[dict, str]:
    """(content of a token, token) for the signer of a request; each signature can be exchanged once, by the service
    that received it.

    Only services may call this: otherwise anybody who sees a signed request could get its signer's token
    (CVE-2025-65073).
    """
    call.svc.policy.check(call.ctx, f"identity:{rule}", {})
    with call.svc.db.reader() as connection:
        row = rows.find(connection, TABLE, credentials.digest(signed["access"]), key="access_digest")
    if row is None or row["type"] != "ec2":
        raise errors.Unauthorized()
    text = call.svc.vault.open(row["encrypted_blob"])
    if credentials.origins(text):
        raise errors.Unauthorized()
    blob = json.loads(text)
    signature = check(signed, blob["secret"])
    with call.svc.db.writer() as connection:
        used_proofs.use(connection, "signature", f"{row['id']}\n{signature}", time.time() + 2 * signatures.MAX_AGE_S)
    ctx, token = call.svc.authenticator.for_signer(row, credentials.chain_of(row), call.ctx)
    return tokens.body(call.svc, ctx), token
