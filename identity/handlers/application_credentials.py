"""Application credentials: a user's roles on one project for a program, without the user's password."""

from common import wsgi
from identity.schemas import application_credentials as schemas
from identity.services import access_rules, application_credentials
from identity.tokens import stamp


def _view(req, row: dict, roles: list[dict], rules: list[dict] | None) -> dict:
    base = f"{req.base_url()}/v3/users/{row['user_id']}"
    shown = {k: row[k] for k in ("id", "name", "description", "project_id", "unrestricted")}
    shown.update(expires_at=stamp(row["expires_at"]).rstrip("Z") if row["expires_at"] else None, roles=roles, system=None,
                 links={"self": f"{base}/application_credentials/{row['id']}"})
    if rules is not None:
        shown["access_rules"] = [access_rules.plain(r) for r in rules]
    return shown


@wsgi.body(schemas.BODY)
def create(req, id, body):
    """The only response that contains the secret."""
    found, secret = application_credentials.create(req.call, id, body["application_credential"])
    return {"application_credential": {**_view(req, *found), "secret": secret}}


def index(req, id):
    wanted = {"name": req.GET["name"]} if "name" in req.GET else {}
    return {"application_credentials": [_view(req, *found) for found in application_credentials.index(req.call, id, wanted)],
            "links": {"self": req.path_url, "next": None, "previous": None}}


def show(req, id, credential_id):
    return {"application_credential": _view(req, *application_credentials.show(req.call, id, credential_id))}


def delete(req, id, credential_id):
    application_credentials.delete(req.call, id, credential_id)
