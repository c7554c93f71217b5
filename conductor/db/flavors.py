"""Flavors, and the projects that may use private ones."""

import sqlalchemy as sa

from common import db, errors, regex, rows
from conductor.db import models
from conductor.db.scope import Scope

TABLE, ACCESS = models.flavors, models.flavor_access
STANDARD = [("42", "m1.nano", 128, 1, 1), ("1", "m1.tiny", 512, 1, 1), ("2", "m1.small", 2048, 20, 1),
            ("3", "m1.medium", 4096, 40, 2), ("4", "m1.large", 8192, 80, 4), ("5", "m1.xlarge", 16384, 160, 8)]


def usable(scope: Scope):
    """The condition for flavors that a project may use: public ones, and private ones that it has access to."""
    return sa.or_(TABLE.c.is_public, TABLE.c.id.in_(sa.select(ACCESS.c.flavor_id).where(scope.of(ACCESS.c.project_id))),
                  sa.true() if scope.everyone else sa.false())


def get(connection, flavor_id: str, scope: Scope) -> dict:
    """:raises NotFound: no flavor with this id is usable in this scope"""
    row = rows.find(connection, TABLE, flavor_id, usable(scope))
    if row is None:
        raise errors.NotFound(f"Flavor {flavor_id} could not be found.")
    return row


def index(connection, scope: Scope, *, public: bool | None, min_ram: int, min_disk: int, sort: list, limit: int,
          marker: str | None, name: str | None = None) -> list[dict]:
    """
    :param public: True or False to ask for one kind (where everyone's are known), None for all that may be used
    :param name: a regular expression that names must contain
    """
    conditions = [TABLE.c.ram >= min_ram, TABLE.c.disk >= min_disk]
    conditions.append(usable(scope) if public is None or not scope.everyone else TABLE.c.is_public == public)
    if name:
        conditions.append(regex.condition(connection, TABLE.c.name, name, list(conditions), "name"))
    marker_row = get(connection, marker, scope) if marker else None
    query = db.page(sa.select(TABLE).where(*conditions), TABLE, sort=sort, limit=limit, marker_row=marker_row)
    return rows.many(connection, query)


def ensure_standard(connection) -> None:
    """Create the five classic flavors and m1.nano. Repeatable."""
    known = set(connection.execute(sa.select(TABLE.c.id)).scalars())
    for flavor_id, name, ram, disk, vcpus in STANDARD:
        if flavor_id not in known:
            connection.execute(sa.insert(TABLE).values(
                id=flavor_id, name=name, ram=ram, disk=disk, vcpus=vcpus, ephemeral=0, swap=0, rxtx_factor=1.0,
                is_public=True, extra_specs={}, description=None))
