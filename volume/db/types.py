"""Queries on volume types, and on the projects that may use private ones."""

import sqlalchemy as sa

from common import errors, rows
from volume.db import models

TABLE, PROJECTS = models.volume_types, models.volume_type_projects


def usable(project_id: str | None):
    """The WHERE of the types that a project may use: public ones, and those that it has access to."""
    given = sa.select(PROJECTS.c.volume_type_id).where(PROJECTS.c.project_id == project_id)
    return sa.or_(TABLE.c.is_public, TABLE.c.id.in_(given))


def get(connection, type_id: str, *where) -> dict:
    """:raises NotFound: no type satisfies ``where``"""
    row = rows.find(connection, TABLE, type_id, *where)
    if row is None:
        raise errors.NotFound(f"Volume type {type_id} could not be found.")
    return row


def named(connection, name_or_id: str, *where) -> str | None:
    """The id of the type with this name or id that satisfies ``where``, or None."""
    return connection.execute(sa.select(TABLE.c.id).where(
        sa.or_(TABLE.c.name == name_or_id, TABLE.c.id == name_or_id), *where)).scalar()


def is_multiattach(connection, type_id: str | None) -> bool:
    """Whether several servers may use a volume of this type at once."""
    row = rows.find(connection, TABLE, type_id) if type_id else None
    return row is not None and row["extra_specs"].get("multiattach") == "<is> True"


def projects(connection, type_id: str) -> list[str]:
    """The projects that may use a private type."""
    return list(connection.execute(sa.select(PROJECTS.c.project_id).where(PROJECTS.c.volume_type_id == type_id).order_by(
        PROJECTS.c.project_id)).scalars())


def give(connection, type_id: str, project_id: str) -> None:
    """:raises Conflict: the project has access already"""
    rows.insert(connection, PROJECTS, {"volume_type_id": type_id, "project_id": project_id}, conflict=(
        f"Volume type access for {type_id} / {project_id} combination already exists."))


def take(connection, type_id: str, project_id: str) -> None:
    """:raises NotFound: the project has no access"""
    done = connection.execute(sa.delete(PROJECTS).where(
        PROJECTS.c.volume_type_id == type_id, PROJECTS.c.project_id == project_id))
    if not done.rowcount:
        raise errors.NotFound(f"Volume type access not found for {type_id} / {project_id} combination.")
