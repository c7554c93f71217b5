"""Members: the projects that an image is shared with. The owner adds and removes them; each says itself whether it wants it."""

from common import db, errors, schema, wsgi
from image.db import images, members

_ADD = schema.obj({"member": {"type": "string", "minLength": 1, "maxLength": 64}}, ["member"])
_ANSWER = schema.obj({"status": {"enum": list(members.STATUSES)}}, ["status"], extra=True)


def view(row: dict) -> dict:
    return {"image_id": row["image_id"], "member_id": row["member_id"], "status": row["status"],
            "created_at": db.iso(row["created_at"]), "updated_at": db.iso(row["updated_at"]), "schema": "/v2/schemas/member"}


def _shared(connection, req, id: str) -> dict:
    row = images.get(connection, req.ctx, id)
    if row["visibility"] != "shared":
        raise errors.Forbidden("Only shared images have members.")
    return row


def _rules(req, row: dict) -> bool:
    """Whether the caller says whom the image is shared with."""
    return req.svc.policy.allows(req.ctx, "modify_member", {"project_id": row["owner"]})


def _may_see(req, row: dict, member_id: str) -> None:
    """:raises NotFound: neither the owner asks nor that member: it is not his to know who else has the image. Services ask for
    whom they fetch it"""
    if not (_rules(req, row) or req.ctx.is_service or row["owner"] == req.ctx.project_id or member_id == req.ctx.project_id):
        raise errors.NotFound(f"{member_id} not found in the member list of the image {row['id']}.")


def index(req, id):
    """All members for the owner; a member sees itself."""
    with req.svc.db.reader() as connection:
        row = _shared(connection, req, id)
        found = members.of(connection, id)
    if not (_rules(req, row) or row["owner"] == req.ctx.project_id):
        found = [m for m in found if m["member_id"] == req.ctx.project_id]
        if not found:
            raise errors.NotFound(f"No image found with ID {id}")
    return {"members": [view(m) for m in found], "schema": "/v2/schemas/members"}


def show(req, id, member_id):
    with req.svc.db.reader() as connection:
        row = _shared(connection, req, id)
        _may_see(req, row, member_id)
        return view(members.get(connection, id, member_id))


@wsgi.body(_ADD)
def create(req, id, body):
    with req.svc.db.writer() as connection:
        row = _shared(connection, req, id)
        req.svc.policy.check(req.ctx, "modify_member", {"project_id": row["owner"]})
        used, limit = len(members.of(connection, id)), req.svc.conf.image.image_member_quota
        if 0 <= limit <= used:
            raise errors.TooLarge(f"The limit has been exceeded on the number of allowed image members for this image. "
                                  f"Attempted: {used + 1}, Maximum: {limit}")
        made = members.add(connection, id, body["member"])
    req.svc.notifier.tell(req.ctx, "image.member.create", view(made))
    return view(made)


@wsgi.body(_ANSWER)
def update(req, id, member_id, body):
    """Only the member says whether it wants the image in its lists."""
    with req.svc.db.writer() as connection:
        row = _shared(connection, req, id)
        _may_see(req, row, member_id)
        if member_id != req.ctx.project_id and not req.ctx.is_admin:
            raise errors.Forbidden("You are not allowed to complete modify_member action: only the member may.")
        changed = members.answer(connection, id, member_id, body["status"])
    req.svc.notifier.tell(req.ctx, "image.member.update", view(changed))
    return view(changed)


def delete(req, id, member_id):
    with req.svc.db.writer() as connection:
        row = _shared(connection, req, id)
        req.svc.policy.check(req.ctx, "modify_member", {"project_id": row["owner"]})
        members.remove(connection, id, member_id)
    req.svc.notifier.tell(req.ctx, "image.member.delete", {"image_id": id, "member_id": member_id})
