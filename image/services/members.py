"""Members: the projects that an image is shared with. The owner adds and removes them; each accepts or rejects the image."""

from common import db, errors
from common.calls import Call
from image import access
from image.db import members


def view(row: dict) -> dict:
    return {"image_id": row["image_id"], "member_id": row["member_id"], "status": row["status"],
            "created_at": db.iso(row["created_at"]), "updated_at": db.iso(row["updated_at"]), "schema": "/v2/schemas/member"}


def _shared(connection, call: Call, id: str, *rules: str) -> dict:
    """A shared image, if the rules allow the request.

    :raises Forbidden: it is not shared, or a rule refuses
    :raises NotFound: the caller may not see it
    """
    row = access.image(call, connection, id)
    if row["visibility"] != "shared":
        raise errors.Forbidden("Only shared images have members.")
    access.check(call, row, "get_image", *rules)
    return row


def _absent(id: str, member_id: str) -> errors.NotFound:
    return errors.NotFound(f"{member_id} not found in the member list of the image {id}.")


def _hides_others(call: Call, row: dict) -> bool:
    """Whether the caller is a member, who may not see the other members."""
    return row["owner"] != call.ctx.project_id and not call.svc.policy.sees_all_projects(call.ctx)


def _member(call: Call, connection, row: dict, member_id: str) -> dict:
    """:raises NotFound: not a member, or another than the caller if the caller may not see others"""
    if _hides_others(call, row) and member_id != call.ctx.project_id:
        raise _absent(row["id"], member_id)
    return members.get(connection, row["id"], member_id)


def index(call: Call, id: str) -> list[dict]:
    """The owner sees all members; a member sees only itself."""
    with call.svc.db.reader() as connection:
        row = _shared(connection, call, id, "get_members")
        found = members.of(connection, id)
    if _hides_others(call, row):
        found = [m for m in found if m["member_id"] == call.ctx.project_id]
    return [m for m in found if access.allows(call, "get_member", row)]


def show(call: Call, id: str, member_id: str) -> dict:
    with call.svc.db.reader() as connection:
        try:
            row = _shared(connection, call, id, "get_member")
        except errors.Forbidden:
            raise _absent(id, member_id) from None
        return _member(call, connection, row, member_id)


def create(call: Call, id: str, member_id: str) -> dict:
    with call.svc.db.writer() as connection:
        _shared(connection, call, id, "add_member")
        used, limit = len(members.of(connection, id)), call.svc.conf.image.image_member_quota
        if 0 <= limit <= used:
            raise errors.TooLarge(f"The limit has been exceeded on the number of allowed image members for this image. "
                                  f"Attempted: {used + 1}, Maximum: {limit}")
        made = members.add(connection, id, member_id)
    call.svc.notifier.notify(call.ctx, "image.member.create", view(made))
    return made


def update(call: Call, id: str, member_id: str, status: str) -> dict:
    """Only the member can accept or reject the image."""
    with call.svc.db.writer() as connection:
        row = _shared(connection, call, id, "get_member")
        _member(call, connection, row, member_id)
        access.check(call, row, "modify_member")
        changed = members.answer(connection, id, member_id, status)
    call.svc.notifier.notify(call.ctx, "image.member.update", view(changed))
    return changed


def delete(call: Call, id: str, member_id: str) -> None:
    with call.svc.db.writer() as connection:
        row = _shared(connection, call, id, "get_member")
        _member(call, connection, row, member_id)
        access.check(call, row, "delete_member")
        members.remove(connection, id, member_id)
    call.svc.notifier.notify(call.ctx, "image.member.delete", {"image_id": id, "member_id": member_id})
