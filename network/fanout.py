"""Tells the agents of hosts what is another for them, after the commit and beside the request that changed it.

What several requests change for one host within a moment is told together. What is lost here, since the broker is away or
this process ends, the host's agent notices by its sequence, and pulls.
"""

import logging

from common import batches, context, errors
from network.db import deltas
from network.db.changes import Change, Changes

LOG = logging.getLogger(__name__)
APART_S = 0.2  # between what is told to the same hosts


class Fanout:
    def __init__(self, service):
        self.service = service
        self._batch = batches.Batch(self._notify_hosts, merge=Change.followed_by, interval_s=APART_S, at_once=False)

    def notify(self, changes: Changes, *, without=()) -> None:
        """Tell all hosts that a transaction concerns, soon.

        :param without: hosts that are told otherwise
        """
        self._batch.put_all({host: change for host, change in changes.by_host.items() if host not in without})

    def _notify_host(self, ctx, host: str, delta: dict) -> None:
        try:
            self.service.agents.changed(ctx, host, delta)
        except errors.ServiceTooOld:  # while agents of the release before are there, all pull
            self.service.agents.refresh(ctx, host)

    def _notify_hosts(self, by_host: dict[str, Change]) -> None:
        with self.service.db.reader() as connection:
            found = deltas.of(connection, by_host)
        ctx, away = context.service_context(), 0
        for host, delta in found.items():
            try:
                self._notify_host(ctx, host, delta)
            except errors.ServiceUnavailable as error:
                away += 1
                LOG.info("host %s could not be told of a change, it will miss it: %s", host, error)
        if away:
            LOG.warning("%d of %d hosts could not be told of a change and will ask for it later", away, len(found))
