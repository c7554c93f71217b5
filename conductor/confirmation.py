"""Confirms resizes and migrations automatically after ``resize_confirm_window``."""

import datetime
import logging

from common import context, db, errors, periodic
from conductor.db import resizes, server_migrations

LOG = logging.getLogger(__name__)


class AutomaticConfirmation(periodic.Periodic):
    """Safe to run in several conductors: the state change is a compare-and-swap, so only one of them confirms."""

    interval_s, jitter_s = 10.0, 3.0

    def __init__(self, service):
        self.service = service

    def run_once(self) -> None:
        window_s = self.service.conf.compute.resize_confirm_window
        if not window_s:
            return
        with self.service.db.reader() as connection:
            found = server_migrations.unconfirmed(connection, db.now() - datetime.timedelta(seconds=window_s))
        for migration in found:
            ctx = context.service_context(project_id=migration["project_id"])
            try:
                operation_id = self.service.db.transact(resizes.confirm_automatically, ctx, migration["instance_uuid"])
            except errors.Error as error:
                LOG.info("the resize of instance %s was not confirmed automatically: %s", migration["instance_uuid"], error)
                continue
            self.service.operations.wake(operation_id)
