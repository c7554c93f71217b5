"""Periodic tasks: ``run_once`` does the work, ``run_forever`` loops."""

import logging
import random
import threading
import time

from common import context, errors

LOG = logging.getLogger(__name__)


class Periodic:
    """Base of periodic tasks: subclasses implement ``run_once``, which tests call directly."""

    interval_s = 10.0
    jitter_s = 1.0
    every_worker = False  # run in each process of an API, not only in the first
    _failing = False

    def run_once(self) -> None:
        raise AssertionError("a Periodic must implement run_once")

    def run_forever(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self.run_once()
                self._failing = False
            except Exception as error:  # loop boundary: the next pass is the retry
                level = logging.DEBUG if self._failing else logging.WARNING
                LOG.log(level, "%s failed and will be retried: %s: %s", type(self).__name__, type(error).__name__, error)
                self._failing = True
            stop.wait(self.interval_s + random.uniform(0, self.jitter_s))

    def start(self, stop: threading.Event) -> threading.Thread:
        thread = threading.Thread(target=self.run_forever, args=(stop,), name=type(self).__name__, daemon=True)
        thread.start()
        return thread


class Heartbeat(Periodic):
    """Sends heartbeats, more frequently at first, because receivers may start later than this service."""

    jitter_s = 0.2

    def __init__(self, interval_s: float):
        self.interval_s, self.steady_s = min(0.5, interval_s), interval_s

    def run_once(self) -> None:
        self.interval_s = min(self.interval_s * 1.5, self.steady_s)
        self.beat()

    def beat(self) -> None:
        raise AssertionError("a Heartbeat must implement beat")


def handle_row(row: dict, what: str, work) -> None:
    """Do ``work(ctx, row)`` for one of the rows of a pass; whatever is wrong with it, the others get their turn.

    :param row: with the ``request_id`` and ``project_id`` of the original request
    """
    ctx = context.service_context(request_id=row["request_id"], project_id=row["project_id"])
    context.activate(ctx)
    try:
        work(ctx, row)
    except errors.ServiceUnavailable as error:
        LOG.info("%s cannot be handled yet: %s", what, error)
    except Exception:  # logged at each pass
        LOG.exception("%s could not be handled", what)


def wait_for(condition, timeout_s: float, *, every_s: float = 0.1, what: str = "condition"):
    """Poll until ``condition()`` is truthy and return its value.

    :raises TimeoutError: after ``timeout_s`` seconds
    """
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s} s for {what}")
        time.sleep(every_s)
