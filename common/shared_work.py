"""Work that waits for what others send, and ends as soon as nobody needs it any more.

Who reads from a socket cannot be told to stop. So the work has a thread of its own; whoever needs it waits beside it, and may
leave at any time. When the last has left, what the work reads from is shut under it. Where there is nothing yet that could
be shut, as before an answer begins, it ends at its next ``check``, and who comes until then takes it over.
"""

import collections.abc
import contextlib
import threading
import typing

from common import context, errors

POLL_S = 0.1
IsCancelled = collections.abc.Callable[[], bool]  # whether who waits had better leave


def never() -> bool:
    return False


class SharedWork:
    """Work that any number of threads wait for.

    :param work: called once, with this object, when the first of them has joined; with his context
    """

    def __init__(self, work: collections.abc.Callable[["SharedWork"], typing.Any]):
        self._work = work
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._waiting, self._given_up = 0, False
        self._shut: list[collections.abc.Callable[[], object]] = []
        self._finished = threading.Event()
        self._result: typing.Any = None
        self._error: BaseException | None = None

    def join(self) -> bool:
        """Be one of those who wait for it. False: it has ended, or is about to because nobody waited."""
        with self._guard:
            if self.over():
                return False
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, args=(context.active(),), daemon=True, name="shared-work")
                self._thread.start()
            self._waiting += 1
        return True

    def wait(self, is_cancelled: IsCancelled):
        """After ``join``: what the work returns, or raises.

        :raises Superseded: ``is_cancelled`` said so
        """
        try:
            while not self._finished.wait(POLL_S):
                if is_cancelled():
                    raise errors.Superseded()
        finally:
            self._leave()
        if self._error is not None:
            raise self._error
        return self._result

    def over(self) -> bool:
        """Whether it has ended, or is about to."""
        return self._given_up or self._finished.is_set()

    def _leave(self) -> None:
        with self._guard:
            self._waiting -= 1
            if not self._waiting and self._shut:
                self._given_up = True
                for shut in self._shut:
                    with contextlib.suppress(OSError, ValueError, RuntimeError):  # it has just been closed
                        shut()

    def _run(self, ctx: context.Context | None) -> None:
        context.activate(ctx)
        try:
            self._result = self._work(self)
        except BaseException as error:  # thread boundary: raised where it is waited for
            self._error = error
        finally:
            self._finished.set()

    # what the work itself calls

    def check(self) -> None:
        """:raises Superseded: nobody waits any more"""
        with self._guard:
            if self._waiting:
                return
            self._given_up = True
        raise errors.Superseded()

    @contextlib.contextmanager
    def reading(self, shut: collections.abc.Callable[[], object]):
        """The block reads from, or writes to, something that ``shut``, called from another thread, puts an end to.

        :raises Superseded: nobody waits any more
        """
        with self._guard:
            self._shut.append(shut)
        try:
            self.check()
            yield
        finally:
            with self._guard:
                self._shut.remove(shut)


def attended(work: collections.abc.Callable[[SharedWork], typing.Any], is_cancelled: IsCancelled):
    """Do work that nobody else waits for. Returns and raises as ``SharedWork.wait``."""
    alone = SharedWork(work)
    alone.join()
    return alone.wait(is_cancelled)
