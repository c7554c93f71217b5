"""Compute quotas: limits from rows, use counted from the resources themselves."""

import sqlalchemy as sa

from common import errors
from conductor.db import instances, models

DEFAULTS = {"instances": 10, "cores": 20, "ram": 51200, "metadata_items": 128, "key_pairs": 100, "server_groups": 10,
            "server_group_members": 10}


def limits(connection, project_id: str, defaults: dict | None = None) -> dict:
    """{resource: most}, -1 for no limit."""
    table = models.quotas
    own = dict(connection.execute(sa.select(table.c.resource, table.c["limit"])
                                  .where(table.c.project_id == project_id)).all())
    return {r: own.get(r, v) for r, v in (defaults or DEFAULTS).items()}


def room(connection, defaults: dict, project_id: str, flavor: dict, low: int, high: int) -> int:
    """How many servers of a flavor there is room for, ``high`` at most.

    :raises QuotaExceeded: not even for ``low``; naming the first resource that is short
    """
    limit, used = limits(connection, project_id, defaults), instances.usage(connection, project_id)
    found = high
    for resource, each in (("instances", 1), ("cores", flavor["vcpus"]), ("ram", flavor["ram"])):
        if limit[resource] >= 0 and each > 0:
            fitting = max(0, limit[resource] - used[resource]) // each
            if fitting < low:
                raise errors.QuotaExceeded(resource=resource, requested=low * each, used=used[resource], limit=limit[resource])
            found = min(found, fitting)
    return found
