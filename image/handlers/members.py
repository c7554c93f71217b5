"""Members: the projects that an image is shared with. The owner adds and removes them; each says itself whether it wants it."""

from common import db, errors, schema, wsgi
from image import access
from image.db import members

_ADD = schema.obj({"member": {"type": "string", "minLength": 1, "maxLength": 64}}, ["member"])
_ANSWER = schema.obj({"status": {"enum": list(members.STATUSES)}}, ["status"], extra=True)


def view(row: dict) -> dict:
    return {"image_id": row["image_id"], "member_id": row["member_id"], "status": row["status"],
            "created_at": db.iso(row["created_at"]), "updated_at": db.iso(row["updated_at"]), "schema": "/v2/schemas/member"}


def _shared(connection, req, id: str, *rules: str) -> dict:
    """An image that has members, of whom the caller may do what the rules are about.

    :raises Forbidden: it has none, or a rule says no
    :raises NotFound: it is not for this caller to know of
    """
    row = access.image(req, connection, id)
    if row["visibility"] != "shared":
        raise errors.Forbidden("Only shared images have members.")
    access.check(req, row, "get_image", *rules)
    return row


def _absent(id: str, member_id: str) -> errors.NotFound:
    return errors.NotFound(f"{member_id} not found in the member list of the image {id}.")


def _hides_others(req, row: dict) -> bool:
    """Whether the caller is a member himself, who is not to know with whom else the image is shared."""
    return row["owner"] != req.ctx.project_id and not req.svc.policy.sees_all_projects(req.ctx)


def _member(req, connection, row: dict, member_id: str) -> dict:
    """:raises NotFound: it is no member, or another one than the caller, whose it is not to know of it"""
    if _hides_others(req, row) and member_id != req.ctx.project_id:
        raise _absent(row["id"], member_id)
    return members.get(connection, row["id"], member_id)


def index(req, id):
    """All members for the owner; a member sees itself."""
    with req.svc.db.reader() as connection:
        row = _shared(connection, req, id, "get_members")
        found = members.of(connection, id)
    if _hides_others(req, row):
        found = [m for m in found if m["member_id"] == req.ctx.project_id]
    return {"members": [view(m) for m in found if access.allows(req, "get_member", row)], "schema": "/v2/schemas/members"}


def show(req, id, member_id):
    with req.svc.db.reader() as connection:
        try:
            row = _shared(connection, req, id, "get_member")
        except errors.Forbidden:
            raise _absent(id, member_id) from None
        return view(_member(req, connection, row, member_id))


@wsgi.body(_ADD)
def create(req, id, body):
    with req.svc.db.writer() as connection:
        _shared(connection, req, id, "add_member")
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
        row = _shared(connection, req, id, "get_member")
        _member(req, connection, row, member_id)
        access.check(req, row, "modify_member")
        changed = members.answer(connection, id, member_id, body["status"])
    req.svc.notifier.tell(req.ctx, "image.member.update", view(changed))
    return view(changed)


def delete(req, id, member_id):
    with req.svc.db.writer() as connection:
        row = _shared(connection, req, id, "get_member")
        _member(req, connection, row, member_id)
        access.check(req, row, "delete_member")
        members.remove(connection, id, member_id)
    req.svc.notifier.tell(req.ctx, "image.member.delete", {"image_id": id, "member_id": member_id})
