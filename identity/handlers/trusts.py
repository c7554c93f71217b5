"""Trusts: a user lets another user act with some of the first user's roles on a project."""

from common import errors, wsgi
from identity.schemas import trusts as schemas
from identity.services import trusts
from identity.tokens import stamp

_HIDDEN = ("roles", "expires_at")


def _view(req, row: dict, roles: list[dict] | None = None) -> dict:
    base = f"{req.base_url()}/v3/OS-TRUST/trusts/{row['id']}"
    shown = {k: v for k, v in row.items() if k not in _HIDDEN}
    shown.update(expires_at=stamp(row["expires_at"]) if row["expires_at"] else None, deleted_at=None,
                 links={"self": base}, roles_links={"self": f"{base}/roles", "next": None, "previous": None})
    if roles is not None:
        shown["roles"] = [_role(req, r) for r in roles]
    return shown


def _role(req, role: dict) -> dict:
    return {"id": role["id"], "name": role["name"], "links": {"self": f"{req.base_url()}/v3/roles/{role['id']}"}}


@wsgi.body(schemas.BODY)
def create(req, body):
    return {"trust": _view(req, *trusts.create(req.call, body["trust"]))}


def index(req):
    """The trusts of a trustor or of a trustee, or all trusts."""
    wanted = {k: req.GET[k] for k in ("trustor_user_id", "trustee_user_id") if k in req.GET}
    found = trusts.index(req.call, wanted)
    return {"trusts": [_view(req, r) for r in found], "links": {"self": req.path_url, "next": None, "previous": None}}


def show(req, id):
    return {"trust": _view(req, *trusts.show(req.call, id))}


def delete(req, id):
    """Delete the trust and revoke every token created from it."""
    trusts.delete(req.call, id)


def roles(req, id):
    found = trusts.roles(req.call, id)
    return {"roles": [_role(req, r) for r in found], "links": {"self": req.path_url, "next": None, "previous": None}}


def role(req, id, role_id):
    given = trusts.roles(req.call, id, "get_role_for_trust")
    found = next((r for r in given if r["id"] == role_id), None)
    if found is None:
        raise errors.NotFound(f"Could not find role: {role_id}.")
    return {"role": _role(req, found)}
