"""Wrong logins are slowed down: by where they come from, and by the account that is tried from there.

Identity locks an account where it is told to (``[security_compliance]``), from wherever it is tried. This is for the one
place from which many passwords or many accounts are tried. It is in memory: each worker counts for itself.
"""

import collections
import hashlib
import threading
import time

_MAX_KEYS = 10000


def _short(keys: dict) -> dict:
    """The keys as digests: who tries sends names as long as he likes."""
    return {kind: hashlib.sha256(repr(key).encode("utf-8", "replace")).digest() for kind, key in keys.items()}


class Throttle:
    """:param limits: {kind of key: wrong logins that are let through in ``window_s`` seconds}"""

    def __init__(self, limits: dict[str, int], window_s: int):
        self.limits, self.window_s = limits, window_s
        self._tried: collections.OrderedDict[tuple, collections.deque] = collections.OrderedDict()
        self._lock = threading.Lock()

    def begin(self, keys: dict) -> int:
        """Count a login that is about to be tried, so that many at once are counted too.

        :param keys: {kind: what is counted}
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
        """It was no wrong login after all."""
        with self._lock:
            for key in _short(keys).items():
                if self._tried.get(key):
                    self._tried[key].pop()

    def _recent(self, kind: str, key, now: float) -> collections.deque:
        times = self._tried.get((kind, key)) or collections.deque(maxlen=self.limits[kind])
        while times and times[0] <= now - self.window_s:
            times.popleft()
        return times
