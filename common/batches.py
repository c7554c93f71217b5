"""Batches reports of many senders into one write."""

import logging
import threading
import time
import typing

LOG = logging.getLogger(__name__)


class Batch:
    """Collects reports by sender, and writes all that arrive within ``interval_s`` together.

    After a pause, the first report is written immediately, by the calling thread, or by another one unless ``at_once``. Reports
    that arrive within ``interval_s`` of a write wait in memory for the next one. A process that ends loses them, as the bus may
    lose any report; the sender's next report replaces them.

    :param write: called with {sender: report}, never by two threads at a time
    :param merge: (earlier, later) -> the combined report; by default the later one
    """

    def __init__(self, write: typing.Callable[[dict], None], *, merge: typing.Callable | None = None, interval_s: float = 1.0,
                 at_once: bool = True):
        self._write, self._merge, self.interval_s, self._at_once = write, merge, interval_s, at_once
        self._guard = threading.Lock()
        self._waiting: dict[str, typing.Any] = {}
        self._busy = False  # a thread is writing, or about to
        self._last = float("-inf")

    def put(self, sender: str, report) -> None:
        self.put_all({sender: report})

    def put_all(self, reports: dict) -> None:
        if not reports:
            return
        with self._guard:
            for sender, report in reports.items():
                if sender in self._waiting and self._merge:
                    report = self._merge(self._waiting[sender], report)
                self._waiting[sender] = report
            if self._busy:
                return
            self._busy = True
            wait_s = self._last + self.interval_s - time.monotonic()
        if wait_s > 0 or not self._at_once:
            threading.Thread(target=self._later, args=(wait_s,), daemon=True, name="batch").start()
        else:
            self._all()

    def _later(self, wait_s: float) -> None:
        time.sleep(max(0.0, wait_s))
        try:
            self._all()
        except Exception as error:  # thread boundary: the senders report again
            LOG.warning("reports were lost; the senders will report again: %s: %s", type(error).__name__, error)

    def _all(self) -> None:
        with self._guard:
            reports, self._waiting = self._waiting, {}
            self._last = time.monotonic()
        try:
            self._write(reports)
        finally:
            with self._guard:
                self._busy = left = bool(self._waiting)
            if left:
                threading.Thread(target=self._later, args=(self.interval_s,), daemon=True, name="batch").start()
