"""Limits on the open consoles of a process, in total and per user."""

import collections
import contextlib
import threading
import typing

from common import errors


class Places:
    """:param of_user: limit per user, so that one user cannot take all consoles"""

    def __init__(self, total: int, of_user: int):
        self._total, self._of_user = total, of_user
        self._open: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def taken(self, user_id: str) -> typing.Iterator[None]:
        """Count a console of a user.

        :raises ServiceUnavailable: the limit of the process is reached
        :raises StepFailed: the limit of the user is reached
        """
        with self._lock:
            if self._open.total() >= self._total:
                raise errors.ServiceUnavailable(part="the console proxy, where too many consoles are open")
            if self._open[user_id] >= self._of_user:
                raise errors.StepFailed(reason="Too many of your consoles are open.")
            self._open[user_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[user_id] -= 1
                if not self._open[user_id]:
                    del self._open[user_id]
