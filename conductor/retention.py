"""Deleted servers are kept for a time that the operator chose, and then removed."""

import datetime
import logging

from common import db, periodic
from conductor.db import deletion

LOG = logging.getLogger(__name__)


class Retention(periodic.Periodic):
    """Several conductors may do it at the same time: each removes what is still there."""

    interval_s, jitter_s = 3600.0, 600.0

    def __init__(self, service):
        self.service = service

    def run_once(self) -> None:
        days = self.service.conf.compute.deleted_server_days
        if days:
            removed = deletion.purge(self.service.db, db.now() - datetime.timedelta(days=days))
            if removed:
                LOG.info("%d servers that were deleted more than %d days ago are purged", removed, days)
