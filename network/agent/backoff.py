"""When parts of a host that could not be made are tried again: each by itself, less and less often, as long as it is to be
what it was. A part that is to look otherwise is tried at once."""

import logging
import random
import time
import typing

from common import errors

LOG = logging.getLogger(__name__)
FIRST_S, MAX_S = 1.0, 60.0


def jittered(seconds: float) -> float:
    """About as long, so that hosts which failed together do not try together again."""
    return seconds * random.uniform(0.75, 1.25)


class _Failure(typing.NamedTuple):
    wanted: str
    error: Exception
    delay_s: float
    due: float


class Backoff:
    """Of one host. A key is what a part is known by: (what is made, id)."""

    def __init__(self):
        self._failures: dict[tuple[str, str], _Failure] = {}

    def attempt(self, key: tuple[str, str], wanted, work, *args, at_once: bool) -> Exception | None:
        """``work(*args)``, if it is time for it.

        :param wanted: all that the part is made from
        :param at_once: somebody waits for it: do not wait for its time
        :returns: why the part is not there; None: it is
        """
        text, before = repr(wanted), self._failures.get(key)
        # Halfway is soon enough where others are tried now: many that fail are tried together.
        if before and before.wanted == text and before.due - before.delay_s / 2 > time.monotonic() and not at_once:
            return before.error
        try:
            work(*args)
        except Exception as error:  # one part's boundary: recorded here, the others are made
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
        """Forget all other parts: they are not to be there any more."""
        self._failures = {k: f for k, f in self._failures.items() if k in keys}

    def reasons(self) -> dict[str, str]:
        """{id: why it, or a part of it, could not be made}"""
        return {key[1]: f"{key[0]}: {failure.error}" for key, failure in self._failures.items()}

    def next_s(self) -> float | None:
        """Seconds until the next part is to be tried again; None: all are there."""
        if not self._failures:
            return None
        return max(0.0, min(f.due for f in self._failures.values()) - time.monotonic())
