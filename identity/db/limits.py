"""Registered limits, and the limits of single projects and domains."""

import sqlalchemy as sa

from common import rows
from identity.db import models

REGISTERED, LIMITS = models.registered_limits, models.limits
_OF_REGISTERED = ("service_id", "region_id", "resource_name")


def registered(connection, **wanted) -> list[dict]:
    return rows.select(connection, REGISTERED, **wanted)


def same_registered(connection, values: dict, but_id: str = "") -> dict | None:
    """The registered limit, other than one, of the same resource of the same service and region."""
    return rows.one(connection, sa.select(REGISTERED).where(
        REGISTERED.c.id != but_id, *_same(REGISTERED, values, _OF_REGISTERED)))


def limits(connection, *conditions, **wanted) -> list[dict]:
    """Limits, with the service, region and resource of their registered limits.

    :param wanted: columns of both; an ``id`` is the limit's own
    """
    query = sa.select(LIMITS, *(REGISTERED.c[name] for name in _OF_REGISTERED)).join(
        REGISTERED, REGISTERED.c.id == LIMITS.c.registered_limit_id).order_by(LIMITS.c.id)
    query = rows.where_equal(query, REGISTERED, {k: v for k, v in wanted.items() if k in _OF_REGISTERED})
    return rows.many(connection, rows.where_equal(query, LIMITS, wanted).where(*conditions))


def same_limit_exists(connection, values: dict) -> bool:
    """Whether the project or domain has a limit of the same resource."""
    same = _same(LIMITS, values, ("project_id", "domain_id", "registered_limit_id"))
    return rows.one(connection, sa.select(LIMITS).where(*same)) is not None


def _same(table: rows.Table, values: dict, names: tuple[str, ...]) -> list:
    return [table.c[name].is_not_distinct_from(values.get(name)) for name in names]


def in_domain(domain_id: str):
    """The WHERE of the limits of a domain and of the projects in it."""
    projects = sa.select(models.projects.c.id).where(models.projects.c.domain_id == domain_id)
    return sa.or_(LIMITS.c.domain_id == domain_id, LIMITS.c.project_id.in_(projects))


def of_project(project_id: str):
    return LIMITS.c.project_id == project_id
