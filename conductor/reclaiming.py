"""Deletes servers that could be restored for ``reclaim_instance_interval``."""

import functools
import logging

from common import periodic
from conductor.db import deletion, soft_deletion

LOG = logging.getLogger(__name__)


class Reclaiming(periodic.Periodic):
    """Safe to run in several conductors: the beginning of a deletion locks the server's row."""

    interval_s, jitter_s = 10.0, 3.0

    def __init__(self, service):
        self.service = service

    def run_once(self) -> None:
        """With an interval of 0, what was kept with another setting is deleted too."""
        kept_s = self.service.conf.compute.reclaim_instance_interval
        with self.service.db.reader() as connection:
            found = soft_deletion.due(connection, kept_s)
        for row in found:
            periodic.handle_row(row, f"instance {row['uuid']}", functools.partial(self._reclaim, kept_s))

    def _reclaim(self, kept_s: float, ctx, row: dict) -> None:
        """A host that cannot be told now is told by the reconciler."""
        begun = self.service.db.transact(soft_deletion.reclaim, ctx, row["uuid"], kept_s, self.service.conf.service_down_time)
        if begun is None:
            return
        LOG.info("instance %s, deleted at %s, is not kept any longer", row["uuid"], row["soft_deleted_at"])
        if begun[0] == deletion.HOST:
            self.service.agents.delete(ctx, row["host"], row["uuid"])
