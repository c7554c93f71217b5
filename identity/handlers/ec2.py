"""EC2 credentials of users: an access key and a secret for one project. They are stored as credentials, encrypted."""

import json

from common import wsgi
from identity import signatures
from identity.schemas import ec2 as schemas
from identity.services import credentials, ec2


def _view(req, row: dict) -> dict:
    blob = json.loads(req.svc.vault.open(row["encrypted_blob"]))
    base = f"{req.base_url()}/v3/users/{row['user_id']}/credentials/OS-EC2"
    return {"user_id": row["user_id"], "tenant_id": row["project_id"], "access": blob["access"],
            "secret": blob["secret"] if credentials.shows_secret(req.call, row) else "", "trust_id": None,
            "links": {"self": f"{base}/{blob['access']}"}}


def index(req, id):
    found = ec2.index(req.call, id)
    return {"credentials": [_view(req, r) for r in found], "links": {"self": req.path_url, "next": None, "previous": None}}


@wsgi.body(schemas.CREATE)
def create(req, id, body):
    return {"credential": _view(req, ec2.create(req.call, id, body["tenant_id"]))}


def show(req, id, access):
    row = ec2.show(req.call, id, access)
    return {"credential": _view(req, row)}


def delete(req, id, access):
    ec2.delete(req.call, id, access)


def _token(body: dict, token: str) -> wsgi.Response:
    return wsgi.json_response(body, 200, {"X-Subject-Token": token, "Vary": "X-Auth-Token"})


@wsgi.body(schemas.EC2_TOKENS)
def ec2_tokens(req, body):
    return _token(*ec2.exchange(req.call, next(iter(body.values())), "ec2tokens_validate", signatures.check_ec2))


@wsgi.body(schemas.S3_TOKENS)
def s3_tokens(req, body):
    return _token(*ec2.exchange(req.call, body["credentials"], "s3tokens_validate", signatures.check_s3))
