"""Quotas: limits from rows, usage counted from the resources themselves, in the transaction that adds one."""

import sqlalchemy as sa

from common import errors, quotas
from network.conf import QUOTA_RESOURCES
from network.db import models

_TABLES = {"network": models.networks, "subnet": models.subnets, "port": models.ports, "router": models.routers,
           "floatingip": models.floatingips, "security_group": models.security_groups,
           "security_group_rule": models.security_group_rules, "subnetpool": models.subnetpools}


def defaults(conf) -> dict[str, int]:
    return {r: getattr(conf.quota, r) for r in QUOTA_RESOURCES}


def limits(connection, conf, project_id: str) -> dict[str, int]:
    """{resource: most}, -1 for no limit."""
    return quotas.limits(connection, models.quotas, project_id, defaults(conf))


def used(connection, resource: str, project_id: str) -> int:
    table = _TABLES[resource]
    return connection.execute(sa.select(sa.func.count()).where(table.c.project_id == project_id)).scalar() or 0


def check(connection, conf, resource: str, project_id: str, count: int = 1) -> None:
    """:raises Conflict: ``count`` more would be too many"""
    quotas.lock_owner(connection, project_id)
    table, of = models.quotas, _TABLES[resource]
    own = sa.select(table.c["limit"]).where(table.c.project_id == project_id, table.c.resource == resource).scalar_subquery()
    number = sa.select(sa.func.count()).select_from(of).where(of.c.project_id == project_id).scalar_subquery()
    limit, already = connection.execute(sa.select(sa.func.coalesce(own, defaults(conf)[resource]), number)).one()
    if 0 <= limit < already + count:
        raise errors.Conflict(f"Quota exceeded for resources: ['{resource}']. Requested {count}, but already used {already} "
                              f"of {limit}.", kind="OverQuota")


def store(connection, project_id: str, values: dict) -> None:
    quotas.store(connection, models.quotas, project_id, values)


def reset(connection, project_id: str) -> None:
    quotas.reset(connection, models.quotas, project_id)
