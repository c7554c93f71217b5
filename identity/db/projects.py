"""Projects and their trees."""

import sqlalchemy as sa

from common import tags
from identity.db import grants, models

TABLE = models.projects


def enabled_above(connection, project_id: str) -> dict[str, bool]:
    """{project id: whether it is enabled} of a project and those above it."""
    return _enabled(connection, grants.above(project_id))


def enabled_below(connection, project_id: str) -> dict[str, bool]:
    """{project id: whether it is enabled} of the projects below one."""
    return _enabled(connection, grants.below({project_id}))


def _enabled(connection, ids) -> dict[str, bool]:
    """:param ids: a subquery with a column ``id``"""
    return dict(connection.execute(sa.select(TABLE.c.id, TABLE.c.enabled).where(TABLE.c.id.in_(sa.select(ids.c.id)))).all())


def tagged(filter_name: str, values: list[str]):
    """The WHERE of a filter by tags, one of ``common.tags.FILTERS``."""
    return tags.condition(TABLE.c.tags, filter_name, values)
