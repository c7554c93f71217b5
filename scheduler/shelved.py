"""Chooses and claims the host on which an offloaded server is unshelved."""

import random
import time

import sqlalchemy as sa

from common import db, errors, rows, server_states
from conductor.db import allocations, models
from scheduler.placement import AgainstGroup, HostFull, Placement
from scheduler.rpcapi import request_spec

TABLE = models.instances


def claim(placement: Placement, uuid: str, attempt: int, requested_host: str | None) -> str | None:
    """Claim a host. Repeatable: returns the host that was claimed first.

    :param attempt: of the server; if it is in another one, nothing is claimed
    :param requested_host: the only host allowed; None: any
    :returns: the host; None: the server is in another attempt, does not exist, or is not being unshelved any more
    :raises NoValidHost: nothing was claimed
    """
    for number in range(placement.CLAIM_TRIES):
        with placement.db.reader() as connection:
            row = rows.find(connection, TABLE, uuid, key="uuid", attempt=attempt)
            if row is None or row["task_state"] not in server_states.ACTIONS["unshelve"].all_task_states:
                return None
            spec = {**request_spec(row), "tried_hosts": [], "requested_host": requested_host}
            resolved = placement.resolve(connection, spec)
        if row["host"]:
            return row["host"]
        host = placement.choose(placement.hosts(fresh=True), resolved)
        try:
            claimed = placement.db.transact(_claim, placement, host, row, resolved)
        except (AgainstGroup, HostFull):
            time.sleep(random.uniform(0, 0.01) * number)
            continue
        if claimed:
            placement.remember(host, spec)
            return host["host"]
        # another scheduler got the same request: read its claim
    raise errors.ServiceUnavailable(part="the scheduler: too many requests compete for the same hosts")


def _claim(connection, placement: Placement, host: dict, row: dict, spec: dict) -> bool:
    placement.check_group(connection, host, spec)
    if connection.execute(sa.update(TABLE).where(
            TABLE.c.uuid == row["uuid"], TABLE.c.attempt == row["attempt"], TABLE.c.host.is_(None),
            TABLE.c.task_state == server_states.UNSHELVING).values(
                host=host["host"], availability_zone=host["zone"], updated_at=db.now())).rowcount == 0:
        return False
    if not allocations.claim(connection, host, row["uuid"], spec, placement.limits(host)):
        raise HostFull
    return True
