"""Retries of parts of a host that could not be built: each with its own exponential delay, as long as its desired state is
unchanged. A part with a new desired state is tried immediately.
"""

import logging
import random
import time
import typing

from common import errors

LOG = logging.getLogger(__name__)
FIRST_S, MAX_S = 1.0, 60.0


def jittered(seconds: float) -> float:
    """Jitter, so that hosts that failed together do not retry together."""
    return seconds * random.uniform(0.75, 1.25)


class _Failure(typing.NamedTuple):
    wanted: str
    error: Exception
    delay_s: float
    due: float


class Backoff:
    """The retries of a host. The key of a part is (kind, id)."""

    def __init__(self):
        self._failures: dict[tuple[str, str], _Failure] = {}

    def attempt(self, key: tuple[str, str], wanted, work, *args, at_once: bool) -> Exception | None:
        """Call ``work(*args)``, unless its delay has not passed.

        :param wanted: the desired state of the part
        :param at_once: ignore the delay, because somebody is waiting
        :returns: why the part could not be built; None: it is built
        """
        text, before = repr(wanted), self._failures.get(key)
        # Retried at half the delay if others are retried now, so that many failures are retried together.
        if before and before.wanted == text and before.due - before.delay_s / 2 > time.monotonic() and not at_once:
            return before.error
        try:
            work(*args)
        except Exception as error:  # boundary of one part: the others are built
            self._failed(key, text, error, before)
            return error
        if self._failures.pop(key, None):
            LOG.info("%s of %s succeeded after earlier failures", *key)
        return None

    def _failed(self, key: tuple[str, str], wanted: str, error: Exception, before: _Failure | None) -> None:
        again = before is not None and before.wanted == wanted
        delay_s = min(before.delay_s * 2, MAX_S) if before is not None and again else FIRST_S
        self._failures[key] = _Failure(wanted, error, delay_s, time.monotonic() + jittered(delay_s))
        if before is None or str(before.error) != str(error):
            LOG.error("%s of %s failed: %s %s", *key, error, getattr(error, "internal", None) or "",
                      exc_info=None if isinstance(error, errors.Error) else error)

    def keep(self, keys: set[tuple[str, str]]) -> None:
        """Drop all other parts: they are not in the desired state any more."""
        self._failures = {k: f for k, f in self._failures.items() if k in keys}

    def reasons(self) -> dict[str, str]:
        """{id: why it, or a part of it, could not be built}"""
        return {key[1]: f"{key[0]}: {failure.error}" for key, failure in self._failures.items()}

    def next_s(self) -> float | None:
        """Seconds until the next retry; None: everything is built."""
        if not self._failures:
            return None
        return max(0.0, min(f.due for f in self._failures.values()) - time.monotonic())
