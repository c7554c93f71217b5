"""Notifies hosts' agents of changes, after the commit and asynchronously to the request.

Changes of several requests to one host within a moment are sent in one message. If a message is lost, because the
broker is down or this process ends, the agent notices the gap in its sequence, and pulls.
"""

import logging

from common import batches, context, errors
from network.db import deltas
from network.db.changes import Change, Changes

LOG = logging.getLogger(__name__)
APART_S = 0.2  # between messages to the same hosts


class Fanout:
    def __init__(self, service):
        self.service = service
        self._batch = batches.Batch(self._notify_hosts, merge=Change.followed_by, interval_s=APART_S, at_once=False)

    def notify(self, changes: Changes, *, without=()) -> None:
        """Notify all hosts that a transaction affects, soon.

        :param without: hosts that are notified in another way
        """
        self._batch.put_all({host: change for host, change in changes.by_host.items() if host not in without})

    def _notify_host(self, ctx, host: str, delta: dict) -> None:
        try:
            self.service.agents.changed(ctx, host, delta)
        except errors.ServiceTooOld:  # while agents of the previous release are running, all pull
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
                LOG.info("host %s could not be notified of a change, and will pull it later: %s", host, error)
        if away:
            LOG.warning("%d of %d hosts could not be notified of a change, and will pull it later", away, len(found))
