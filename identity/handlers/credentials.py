"""Credentials: secrets of a user for other ways to authenticate (ec2, totp). The blob is encrypted in the database."""


from common import wsgi
from identity.schemas import credentials as schemas
from identity.services import credentials


def _view(req, row: dict) -> dict:
    return {"id": row["id"], "type": row["type"], "user_id": row["user_id"], "project_id": row["project_id"],
            "blob": req.svc.vault.open(row["encrypted_blob"]) if credentials.shows_secret(req.call, row) else "",
            "links": {"self": f"{req.base_url()}/v3/credentials/{row['id']}"}}


def index(req):
    wanted = {k: req.GET[k] for k in ("user_id", "type") if k in req.GET}
    return {"credentials": [_view(req, r) for r in credentials.index(req.call, wanted)],
            "links": {"self": req.path_url, "next": None, "previous": None}}


def show(req, id):
    return {"credential": _view(req, credentials.show(req.call, id))}


@wsgi.body(schemas.CREATE)
def create(req, body):
    return {"credential": _view(req, credentials.create(req.call, body["credential"]))}


@wsgi.body(schemas.UPDATE)
def update(req, id, body):
    return {"credential": _view(req, credentials.update(req.call, id, body["credential"]))}


def delete(req, id):
    credentials.delete(req.call, id)
