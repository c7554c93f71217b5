"""Limits failed logins by source address, and by account and source address.

Identity can lock accounts (``[security_compliance]``) regardless of the source. This limits a single source that
tries many passwords or many accounts. It is in memory: each worker counts separately.
"""

import collections
import hashlib
import threading
import time

from common import errors

_MAX_KEYS = 10000


class TooMany(errors.Error):
    status, kind, message = 429, "TooManyRequests", "There were too many failed attempts."


def slow_down(response, wait_s: int):
    """The response to a login that is not tried: it says when the next one may be."""
    response.headers["Retry-After"] = str(wait_s)
    return response


def _short(keys: dict) -> dict:
    """The keys as digests, because names sent by clients can be of any length."""
    return {kind: hashlib.sha256(repr(key).encode("utf-8", "replace")).digest() for kind, key in keys.items()}


class Throttle:
    """:param limits: {kind of key: number of failed logins that are allowed in ``window_s`` seconds}"""

    def __init__(self, limits: dict[str, int], window_s: int):
        self.limits, self.window_s = limits, window_s
        self._tried: collections.OrderedDict[tuple, collections.deque] = collections.OrderedDict()
        self._lock = threading.Lock()

    def begin(self, keys: dict) -> int:
        """Count a login before it is tried, so that concurrent ones are counted too.

        :param keys: {kind: key}
        :returns: 0, or the seconds until it may be tried; then it is not counted
        """
        now, longest, keys = time.monotonic(), 0.0, _short(keys)
        with self._lock:
            counted = {(kind, key): self._recent(kind, key, now) for kind, key in keys.items()}
            for (kind, _), times in counted.items():
                if len(times) >= self.limits[kind]:
                    longest = max(longest, times[-self.limits[kind]] + self.window_s - now)
            if longest:
                return int(longest) + 1
            for key, times in counted.items():
                times.append(now)
                self._tried[key] = times
                self._tried.move_to_end(key)
            while len(self._tried) > _MAX_KEYS:
                self._tried.popitem(last=False)
        return 0

    def forgive(self, keys: dict) -> None:
        """Do not count a login, because it has succeeded."""
        with self._lock:
            for key in _short(keys).items():
                if self._tried.get(key):
                    self._tried[key].pop()

    def _recent(self, kind: str, key, now: float) -> collections.deque:
        times = self._tried.get((kind, key)) or collections.deque(maxlen=self.limits[kind])
        while times and times[0] <= now - self.window_s:
            times.popleft()
        return times
