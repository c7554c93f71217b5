"""Quotas: limits from rows, usage counted from the resources themselves, in the transaction that adds one."""

import sqlalchemy as sa

from common import errors
from network.conf import QUOTA_RESOURCES
from network.db import models

_TABLES = {"network": models.networks, "subnet": models.subnets, "port": models.ports, "router": models.routers,
           "floatingip": models.floatingips, "security_group": models.security_groups,
           "security_group_rule": models.security_group_rules, "subnetpool": models.subnetpools}


def limits(connection, conf, project_id: str) -> dict:
    """{resource: most}, -1 for no limit."""
    table = models.quotas
    own = dict(connection.execute(sa.select(table.c.resource, table.c["limit"])
                                  .where(table.c.project_id == project_id)).all())
    return {r: own.get(r, getattr(conf.quota, r)) for r in QUOTA_RESOURCES}


def used(connection, resource: str, project_id: str) -> int:
    table = _TABLES[resource]
    return connection.execute(sa.select(sa.func.count()).where(table.c.project_id == project_id)).scalar() or 0


def check(connection, conf, resource: str, project_id: str, count: int = 1) -> None:
    """:raises QuotaExceeded: ``count`` more would be too many"""
    limit = limits(connection, conf, project_id)[resource]
    if limit < 0:
        return
    already = used(connection, resource, project_id)
    if already + count > limit:
        raise errors.QuotaExceeded(f"Quota exceeded for resources: ['{resource}'].", resource=resource)


def store(connection, project_id: str, values: dict) -> None:
    table = models.quotas
    for resource, limit in values.items():
        connection.execute(sa.delete(table).where(table.c.project_id == project_id, table.c.resource == resource))
        connection.execute(sa.insert(table).values(project_id=project_id, resource=resource, limit=limit))


def reset(connection, project_id: str) -> None:
    connection.execute(sa.delete(models.quotas).where(models.quotas.c.project_id == project_id))
