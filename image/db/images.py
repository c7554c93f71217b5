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
    # During an import: into an image without data, and into an active one (more stores, or hashes of a location).
    "importing": ({"importing"}, "importing"), "copied": ({"active"}, "active"),
    "relocate": ({"active"}, "active"),
    "delete": ({"active", "deactivated"}, "pending_delete"), "restore": ({"pending_delete"}, "active"),
    "erase": (None, "deleted"),
    "deactivate": ({"active", "deactivated"}, "deactivated"), "reactivate": ({"active", "deactivated"}, "active"),
}
COLUMNS = frozenset(c.name for c in TABLE.c) - {"properties", "tags", "locations", "progress"}


# A deleted image whose data still exists (delayed_delete, or a store did not respond) does not exist for clients.
THERE = TABLE.c.status.not_in(("pending_delete", "deleted"))
SIZE = sa.func.coalesce(TABLE.c.size, 0)  # 0 before there is data


def visible(project_id: str | None):
    """The WHERE of the images that a project may see by their id."""
    return sa.and_(THERE, sa.or_(TABLE.c.visibility.in_(("public", "community")), TABLE.c.owner == project_id,
                                 shared_with(project_id, None)))


def shared_with(project_id: str | None, status: str | None):
    """The WHERE of images that other projects share with a project, optionally only of those with this member status."""
    if project_id is None:
        return sa.false()
    return sa.and_(TABLE.c.visibility == "shared", TABLE.c.id.in_(members.shared_with(project_id, status)))


def listed(project_id: str | None, member_status: str):
    """The WHERE of the images in a project's lists; shared ones are selected by their member status.

    :param member_status: "accepted", "pending", "rejected" or "all"
    """
    return sa.and_(THERE, sa.or_(
        TABLE.c.visibility.in_(("public", "community")), TABLE.c.owner == project_id,
        shared_with(project_id, None if member_status == "all" else member_status)))


def absent(image_id: str) -> str:
    return f"No image found with ID {image_id}"


def get(connection, image_id: str, *where) -> dict:
    """:param where: selects among all images; by default those that are not deleted
    :raises NotFound: no such image
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
    """Compare-and-swap for operations that do not change the status. :raises Conflict: another request has changed
    the image"""
    done = connection.execute(sa.update(TABLE).where(
        TABLE.c.id == row["id"], TABLE.c.status == row["status"], TABLE.c.updated_at == row["updated_at"]).values(
            updated_at=db.now()))
    if not done.rowcount:
        raise errors.Conflict(f"Image {row['id']} is being changed by another request.")


def undeleted_stores(row: dict) -> list[str]:
    """Stores that may contain data of an image although its locations do not: they did not respond."""
    return (row["progress"] or {}).get("left", [])


def any_row(connection, image_id: str) -> dict:
    """An image for the service itself, even if it is being deleted. :raises NotFound: it does not exist"""
    return rows.get(connection, TABLE, image_id, resource="image")


def update(connection, image_id: str, values: dict) -> None:
    rows.update(connection, TABLE, image_id, {"updated_at": db.now(), **values}, resource="image")


def _canonical(image_id: str) -> str:
    """The canonical form of a UUID, without hyphens and case, because all forms are the same id."""
    return image_id.replace("-", "").lower()


def retire(connection, image_id: str) -> None:
    """Record, with the deletion of its row, that the id was used by an image."""
    if not retired(connection, image_id):
        connection.execute(sa.insert(RETIRED).values(id=_canonical(image_id), deleted_at=db.now()))


def erased(connection, image_id: str) -> None:
    """Delete the row of an image whose data has been erased everywhere. :raises NotFound: another process has done so"""
    rows.delete(connection, TABLE, image_id, resource="image")
    retire(connection, image_id)


def retired(connection, image_id: str) -> bool:
    return connection.execute(sa.select(RETIRED.c.id).where(RETIRED.c.id == _canonical(image_id))).first() is not None
