"""The endpoints in a project's catalog: those associated with it or with its endpoint groups; without associations, all."""

import sqlalchemy as sa

from common import rows
from common.db import many
from identity.db import models

ENDPOINTS, GROUPS, PROJECTS = models.endpoints, models.endpoint_groups, models.projects
DIRECT, BY_GROUP = models.project_endpoints, models.project_endpoint_groups


def matching(filters: dict):
    """The WHERE of the endpoints of a group."""
    return sa.and_(sa.true(), *(ENDPOINTS.c[name] == value for name, value in filters.items()))


def seen(connection, project_id: str | None):
    """The WHERE of the endpoints in a project's catalog; two statements."""
    if not project_id:
        return sa.true()
    direct = list(connection.execute(sa.select(DIRECT.c.endpoint_id).where(DIRECT.c.project_id == project_id)).scalars())
    groups = many(connection, sa.select(GROUPS.c.filters).join(BY_GROUP, BY_GROUP.c.endpoint_group_id == GROUPS.c.id).where(
        BY_GROUP.c.project_id == project_id))
    if not direct and not groups:
        return sa.true()
    return sa.or_(ENDPOINTS.c.id.in_(direct), *(matching(g["filters"]) for g in groups))


def endpoints_of_project(connection, project_id: str) -> list[dict]:
    return rows.select(connection, ENDPOINTS, seen(connection, project_id))


def endpoints_of_group(connection, group: dict) -> list[dict]:
    return rows.select(connection, ENDPOINTS, matching(group["filters"]))


def groups_of_project(connection, project_id: str) -> list[dict]:
    return rows.select(connection, GROUPS, GROUPS.c.id.in_(
        sa.select(BY_GROUP.c.endpoint_group_id).where(BY_GROUP.c.project_id == project_id)))


def projects(connection, table: rows.Table, **of) -> list[dict]:
    """The projects that are associated with an endpoint or a group of endpoints.

    :param table: DIRECT or BY_GROUP
    :param of: ``endpoint_id`` or ``endpoint_group_id``
    """
    return rows.select(connection, PROJECTS, PROJECTS.c.id.in_(sa.select(table.c.project_id).filter_by(**of)))
