"""Moves DHCP and routers from hosts that are down to others."""

import logging
import time

from common import context, errors, periodic, rows
from common.context import Context
from network import roles
from network.db import hosting, models
from network.db.changes import Changes

LOG = logging.getLogger(__name__)


class Failover(periodic.Periodic):
    """One statement per pass while all agents are up.

    A host is down if it was silent for ``service_down_time`` and then for GRACE_S more while other hosts of its role were heard;
    after an outage of the bus, they do not all return at the same moment. A host that is only disconnected continues to serve
    until it is heard again; its sequence number then reveals the missed changes, and it pulls.

    Each row is moved by compare-and-swap, so that only one network-api moves it.
    """

    interval_s, jitter_s = 10.0, 2.0
    GRACE_S, MAX_MOVES = 60.0, 100  # rows moved in a pass, of each role

    def __init__(self, service):
        self.service = service
        self._silent_since: dict[tuple[str, str], float] = {}

    def run_once(self) -> None:
        with self.service.db.reader() as connection:
            silent = hosting.silent(connection, self.service.conf.service_down_time)
        now = time.monotonic()
        self._silent_since = {key: self._silent_since.get(key, now) for key in silent}
        for (role, host), since in self._silent_since.items():
            if now - since >= self.GRACE_S:
                self._empty(role, host)

    def _empty(self, role: str, host: str) -> None:
        with self.service.db.reader() as connection:
            ids = hosting.served_by(connection, role, host, self.MAX_MOVES)
        for row_id in ids:
            context.activate(ctx := context.service_context())
            self._move(ctx, role, host, row_id)

    def _move(self, ctx: Context, role: str, host: str, row_id: str) -> None:
        try:
            changes, to = self.service.db.transact(self._move_once, role, host, row_id)
            changes.recheck(self.service.db)
        except errors.Error as error:  # boundary of one row: retried at the next pass
            LOG.warning("%s of host %s could not be moved: %s", row_id, host, error)
            return
        if to:
            LOG.warning("host %s is down: moved to %s: %s %s", host, to, "DHCP of network" if role == roles.DHCP else "router",
                        row_id)
            self.service.fanout.notify(changes)

    def _move_once(self, connection, role: str, host: str, row_id: str) -> tuple[Changes, str | None]:
        """The changes, and the new host; None: there is none, or the row was moved already."""
        changes, to = Changes(), hosting.choose_host(connection, self.service.conf, role)
        if to == host or not hosting.reassign(connection, role, row_id, host, to):
            return changes, None
        table, kind = (models.networks, "Network") if role == roles.DHCP else (models.routers, "Router")
        row = rows.get(connection, table, row_id, resource=kind)
        changes.moved(connection, role, row, host, to)
        changes.number(connection)
        return changes, to
