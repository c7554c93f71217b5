"""Removes deleted servers after ``deleted_server_days``, and passwords that no config drive got."""

import datetime
import logging

from common import db, periodic
from conductor.db import deletion, secrets

LOG = logging.getLogger(__name__)


class Retention(periodic.Periodic):
    """Safe to run in several conductors."""

    interval_s, jitter_s = 3600.0, 600.0

    def __init__(self, service):
        self.service = service

    def run_once(self) -> None:
        self.service.db.transact(secrets.drop_unused)
        days = self.service.conf.compute.deleted_server_days
        if days:
            removed = deletion.purge(self.service.db, db.now() - datetime.timedelta(days=days))
            if removed:
                LOG.info("purged %d servers that were deleted more than %d days ago", removed, days)
