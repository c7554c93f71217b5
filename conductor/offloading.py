"""Offloads servers that have been shelved for ``shelved_offload_time``."""

import logging

from common import context, errors, periodic
from conductor.db import shelving

LOG = logging.getLogger(__name__)


class AutomaticOffload(periodic.Periodic):
    """Safe to run in several conductors: the state change is a compare-and-swap, so only one of them offloads.

    With a time of 0 the end of the shelving has done it already, except for servers that were shelved with another setting.
    """

    interval_s, jitter_s = 10.0, 3.0

    def __init__(self, service):
        self.service = service

    def run_once(self) -> None:
        shelved_s = self.service.conf.compute.shelved_offload_time
        if shelved_s < 0:
            return
        with self.service.db.reader() as connection:
            found = shelving.due(connection, shelved_s)
        for row in found:
            ctx = context.service_context(project_id=row["project_id"])
            try:
                operation_id = self.service.db.transact(shelving.offload_automatically, ctx, row)
            except errors.Error as error:
                LOG.info("instance %s was not offloaded automatically: %s", row["uuid"], error)
                continue
            self.service.operations.wake(operation_id)
