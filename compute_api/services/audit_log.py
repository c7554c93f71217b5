"""Usage audits: the number of servers that each host had in a period, including deleted ones."""

import datetime

import sqlalchemy as sa

from common.calls import Call
from conductor.db import models

_EXISTING, _DELETED, _SERVICES = models.instances, models.deleted_instances, models.services


def counted(call: Call, rule: str, begin: datetime.datetime, end: datetime.datetime) -> dict[str, int]:
    """{host with a compute service: number of servers that it had in a period}"""
    call.svc.policy.check(call.ctx, rule, {})
    with call.svc.db.reader() as connection:
        found = dict.fromkeys(connection.execute(sa.select(_SERVICES.c.host).where(
            _SERVICES.c.binary == "nova-compute").order_by(_SERVICES.c.host)).scalars(), 0)
        for table in (_EXISTING, _DELETED):
            lived = [table.c.launched_at < end, *([table.c.deleted_at > begin] if table is _DELETED else [])]
            for host, count in connection.execute(sa.select(table.c.host, sa.func.count()).where(
                    table.c.host.in_(found), *lived).group_by(table.c.host)):
                found[host] += count
    return found
