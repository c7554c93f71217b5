"""Regions and their hierarchy."""

import sqlalchemy as sa

from common import rows
from identity.db import models

TABLE = models.regions


def parents(connection) -> dict[str, str | None]:
    """{region: its parent}, of all regions."""
    return dict(connection.execute(sa.select(TABLE.c.id, TABLE.c.parent_region_id)).all())


def below(connection, region_id: str) -> set[str]:
    """The ids of the regions below one, at any depth."""
    around, found = parents(connection), set[str]()
    while more := {r for r, parent in around.items() if parent in {region_id, *found}} - found:
        found |= more
    return found


def ensure(connection, region_id: str) -> None:
    if not rows.exists(connection, TABLE, id=region_id):
        rows.insert(connection, TABLE, {"id": region_id, "description": ""})
