"""Queries on members: the projects that an image is shared with."""

import sqlalchemy as sa

from common import db, errors, rows
from image.db.models import image_members as TABLE

STATUSES = ("pending", "accepted", "rejected")


def of(connection, image_id: str) -> list[dict]:
    return rows.many(connection, sa.select(TABLE).where(TABLE.c.image_id == image_id).order_by(TABLE.c.member_id))


def shared_with(project_id: str | None, status: str | None = None):
    """A subquery (image_id) of the images that are shared with a project, optionally only of those with this member
    status."""
    query = sa.select(TABLE.c.image_id).where(TABLE.c.member_id == project_id)
    return query.where(TABLE.c.status == status) if status else query


def get(connection, image_id: str, member_id: str) -> dict:
    found = rows.one(connection, sa.select(TABLE).where(TABLE.c.image_id == image_id, TABLE.c.member_id == member_id))
    if found is None:
        raise errors.NotFound(f"{member_id} not found in the member list of the image {image_id}.")
    return found


def add(connection, image_id: str, member_id: str) -> dict:
    at = db.now()
    return rows.insert(connection, TABLE, {"image_id": image_id, "member_id": member_id, "status": "pending", "created_at": at,
                                           "updated_at": at},
                       conflict=f"The target member {member_id} is already associated with image {image_id}.")


def answer(connection, image_id: str, member_id: str, status: str) -> dict:
    found = get(connection, image_id, member_id)
    values = {"status": status, "updated_at": db.now()}
    connection.execute(sa.update(TABLE).where(TABLE.c.image_id == image_id, TABLE.c.member_id == member_id).values(values))
    return {**found, **values}


def remove(connection, image_id: str, member_id: str) -> None:
    get(connection, image_id, member_id)
    connection.execute(sa.delete(TABLE).where(TABLE.c.image_id == image_id, TABLE.c.member_id == member_id))
