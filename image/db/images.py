"""Queries on images."""

import sqlalchemy as sa

from common import db, errors, rows, states
from image.db import members
from image.db.models import images as TABLE
from image.db.models import retired_ids as RETIRED

# action: (allowed states, state while it runs or after it)
ACTIONS = {
    "upload": ({"queued"}, "saving"), "activate": ({"saving"}, "active"), "reset": ({"saving"}, "queued"),
    "stage": ({"queued"}, "uploading"), "unstage": ({"uploading"}, "queued"),
    "import": ({"queued"}, "importing"), "import_staged": ({"uploading"}, "importing"),
    "imported": ({"importing"}, "active"), "import_failed": ({"importing"}, "queued"),
    # While an import goes on: of an image that has no data yet, and of one that gets into more stores or whose hashes are read.
    "importing": ({"importing"}, "importing"), "copied": ({"active"}, "active"),
    "relocate": ({"active"}, "active"),
    "delete": ({"active", "deactivated"}, "pending_delete"), "restore": ({"pending_delete"}, "active"),
    "erase": (None, "deleted"),
    "deactivate": ({"active", "deactivated"}, "deactivated"), "reactivate": ({"active", "deactivated"}, "active"),
}
COLUMNS = frozenset(c.name for c in TABLE.c) - {"properties", "tags", "locations", "progress"}


# An image whose data is kept for a while after its deletion, or is not yet away from every store, is gone for everybody.
THERE = TABLE.c.status.not_in(("pending_delete", "deleted"))
SIZE = sa.func.coalesce(TABLE.c.size, 0)  # 0 before there is data


def visible(project_id: str | None):
    """The WHERE of what a project may see, when it is asked for by its id."""
    return sa.and_(THERE, sa.or_(TABLE.c.visibility.in_(("public", "community")), TABLE.c.owner == project_id,
                                 shared_with(project_id, None)))


def shared_with(project_id: str | None, status: str | None):
    """The WHERE of images that others share with a project, whatever it said to that, or by what it said."""
    if project_id is None:
        return sa.false()
    return sa.and_(TABLE.c.visibility == "shared", TABLE.c.id.in_(members.shared_with(project_id, status)))


def listed(project_id: str | None, member_status: str):
    """The WHERE of what a project's lists show: of what is shared with it, what it answered so.

    :param member_status: "accepted", "pending", "rejected" or "all"
    """
    return sa.and_(THERE, sa.or_(
        TABLE.c.visibility.in_(("public", "community")), TABLE.c.owner == project_id,
        shared_with(project_id, None if member_status == "all" else member_status)))


def absent(image_id: str) -> str:
    return f"No image found with ID {image_id}"


def get(connection, image_id: str, *where) -> dict:
    """:param where: which images count; all that are there by default
    :raises NotFound: it is not among them
    """
    row = rows.find(connection, TABLE, image_id, *(where or (THERE,)))
    if row is None:
        raise errors.NotFound(absent(image_id))
    return row


def index(connection, *, where: list, sort: list, limit: int, marker_row: dict | None) -> list[dict]:
    """A page of images.

    :param sort: [(column, "asc" or "desc")]
    """
    return rows.page(connection, TABLE, *where, sort=sort, limit=limit, marker_row=marker_row)


def move(connection, image_id: str, action: str, **values) -> None:
    """:raises InvalidState: the image is not in a state that allows the action"""
    allowed, to = ACTIONS[action]
    states.move(connection, TABLE, image_id, column="status", allowed=allowed, to=to, action=action,
                resource="image", values={"updated_at": db.now(), **values})


def claim(connection, row: dict) -> None:
    """Be the one who goes on with an image whose state stays what it is. :raises Conflict: somebody else has changed it"""
    done = connection.execute(sa.update(TABLE).where(
        TABLE.c.id == row["id"], TABLE.c.status == row["status"], TABLE.c.updated_at == row["updated_at"]).values(
            updated_at=db.now()))
    if not done.rowcount:
        raise errors.Conflict(f"Image {row['id']} is being changed by somebody else.")


def left(row: dict) -> list[str]:
    """Stores that may have something of an image's data although its locations do not name them: they did not answer."""
    return (row["progress"] or {}).get("left", [])


def any_row(connection, image_id: str) -> dict:
    """An image for the service itself, also one that is being deleted. :raises NotFound: it is gone"""
    return rows.get(connection, TABLE, image_id, resource="image")


def update(connection, image_id: str, values: dict) -> None:
    rows.update(connection, TABLE, image_id, {"updated_at": db.now(), **values}, resource="image")


def _canonical(image_id: str) -> str:
    """Of the ways to write a UUID one: with and without hyphens, small and large letters are the same id."""
    return image_id.replace("-", "").lower()


def retire(connection, image_id: str) -> None:
    """Note, with the deletion of its row, that the id was an image's."""
    if not retired(connection, image_id):
        connection.execute(sa.insert(RETIRED).values(id=_canonical(image_id), deleted_at=db.now()))


def erased(connection, image_id: str) -> None:
    """The end of an image whose data is gone everywhere. :raises NotFound: somebody else was faster"""
    rows.delete(connection, TABLE, image_id, resource="image")
    retire(connection, image_id)


def retired(connection, image_id: str) -> bool:
    return connection.execute(sa.select(RETIRED.c.id).where(RETIRED.c.id == _canonical(image_id))).first() is not None
