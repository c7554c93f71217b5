"""EC2 credentials of users: an access key and a secret for one project. Kept among the credentials, encrypted."""

import json
import secrets
import time

from common import errors, rows, schema, wsgi
from identity import signatures, targets, tokens
from identity.db import grants, models, used_proofs
from identity.handlers import credentials

TABLE = models.credentials
_SIGNED = {"type": "object", "properties": {
    "access": {"type": "string", "maxLength": 255}, "signature": {"type": "string", "maxLength": 255},
    "params": {"type": "object"}, "headers": {"type": "object"}, "token": {"type": "string", "maxLength": 65535}},
    "required": ["access", "signature"]}


def _view(req, row: dict) -> dict:
    blob = json.loads(req.svc.vault.open(row["encrypted_blob"]))
    base = f"{req.base_url()}/v3/users/{row['user_id']}/credentials/OS-EC2"
    return {"user_id": row["user_id"], "tenant_id": row["project_id"], "access": blob["access"],
            "secret": blob["secret"] if credentials.shows_secret(req, row) else "", "trust_id": None,
            "links": {"self": f"{base}/{blob['access']}"}}


def _find(req, connection, id: str, access: str, rule: str) -> dict:
    """An EC2 credential of a user. :raises NotFound: there is none, whatever the rule says; :raises Forbidden: by the rule"""
    row = rows.find(connection, TABLE, credentials.digest(access), key="access_digest", user_id=id)
    if row is None:
        raise errors.NotFound(f"Could not find credential: {access}.")
    req.svc.policy.check(req.ctx, f"identity:{rule}", {"user_id": id, **targets.of(credential=row)})
    return row


def index(req, id):
    req.svc.policy.check(req.ctx, "identity:ec2_list_credentials", {"user_id": id})
    with req.svc.db.reader() as connection:
        rows.get(connection, models.users, id, resource="user")
        found = rows.select(connection, TABLE, user_id=id, type="ec2")
    return {"credentials": [_view(req, r) for r in found], "links": {"self": req.path_url, "next": None, "previous": None}}


@wsgi.body(schema.obj({"tenant_id": schema.NAME}, ["tenant_id"]))
def create(req, id, body):
    """For a project on which the user has a role."""
    req.svc.policy.check(req.ctx, "identity:ec2_create_credential", {"user_id": id, "target.credential.user_id": id})
    blob = {"access": secrets.token_hex(16), "secret": secrets.token_hex(16)}
    key = credentials.digest(blob["access"])
    row = {"id": key, "access_digest": key, "type": "ec2", "user_id": id, "project_id": body["tenant_id"],
           "encrypted_blob": req.svc.vault.seal(json.dumps(blob))}
    with req.svc.db.writer() as connection:
        rows.get(connection, models.users, id, resource="user")
        rows.get(connection, models.projects, body["tenant_id"], resource="project")
        if not grants.roles_on(connection, id, "project", body["tenant_id"]):
            raise errors.Forbidden("The user has no role on that project.")
        rows.insert(connection, TABLE, row)
    return {"credential": _view(req, row)}


def show(req, id, access):
    with req.svc.db.reader() as connection:
        return {"credential": _view(req, _find(req, connection, id, access, "ec2_get_credential"))}


def delete(req, id, access):
    with req.svc.db.writer() as connection:
        credentials.end(req, connection, _find(req, connection, id, access, "ec2_delete_credential"))
    req.svc.revocations.run_once()


def _exchange(req, signed: dict, rule: str, check) -> wsgi.Response:
    """A token for the signer of a request, given once to the service that received the request.

    Only services may ask: who can see a signed request would else have its signer's token (CVE-2025-65073).
    """
    req.svc.policy.check(req.ctx, f"identity:{rule}", {})
    with req.svc.db.reader() as connection:
        row = rows.find(connection, TABLE, credentials.digest(signed["access"]), key="access_digest")
    if row is None or row["type"] != "ec2":
        raise errors.Unauthorized()
    text = req.svc.vault.open(row["encrypted_blob"])
    if credentials.origins(text):
        raise errors.Unauthorized()
    blob = json.loads(text)
    signature = check(signed, blob["secret"])
    with req.svc.db.writer() as connection:
        used_proofs.use(connection, "signature", f"{row['id']}\n{signature}", time.time() + 2 * signatures.MOST_AGE_S)
    ctx, token = req.svc.authenticator.for_signer(row, credentials.chain_of(row), req.ctx)
    return wsgi.json_response(tokens.body(req.svc, ctx), 200, {"X-Subject-Token": token, "Vary": "X-Auth-Token"})


@wsgi.body({"type": "object", "properties": {"credentials": _SIGNED, "ec2Credentials": _SIGNED}, "minProperties": 1,
            "maxProperties": 1, "additionalProperties": False})
def ec2_tokens(req, body):
    return _exchange(req, next(iter(body.values())), "ec2tokens_validate", signatures.check_ec2)


@wsgi.body({"type": "object", "properties": {"credentials": _SIGNED}, "required": ["credentials"]})
def s3_tokens(req, body):
    return _exchange(req, body["credentials"], "s3tokens_validate", signatures.check_s3)
