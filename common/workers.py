"""Threads for work that takes long, so that those that answer the bus never wait for it."""

import collections
import collections.abc
import dataclasses
import logging
import threading

from common import context, metrics

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False)
class _Job:
    about: str
    name: tuple
    lane: str
    first: bool
    ctx: context.Context | None
    work: collections.abc.Callable[[], None]


class Workers:
    """A bounded pool. Work about the same thing is done one at a time, in the order in which it came.

    A message that comes again while the first one waits is dropped; so is one that finds too many waiting: whoever sent it sends
    it again. One that comes again while the first is worked on is worked on once more afterwards: it may not be a repeat, but
    have been sent after the first had been reported and before it ended.

    :param agent: the name under which the lanes are counted
    :param lanes: {name: how many threads}. Work of one lane never waits for a thread of another.
    """

    def __init__(self, agent: str, lanes: dict[str, int], most_waiting: int = 1000):
        self._agent, self._lanes, self._most = agent, lanes, most_waiting
        self._guard = threading.Lock()
        self._known: set[tuple] = set()  # (about, name) of all that waits
        self._at_work: set[tuple] = set()  # and of all that runs
        self._waiting: list[_Job] = []
        self._busy: set[str] = set()  # what is being worked on
        self._running: collections.Counter[str] = collections.Counter()  # by lane
        self._count()  # not what was left of a process before

    def put(self, ctx, about: str, name: tuple, work: collections.abc.Callable[[], None], *, lane: str,
            first: bool = False) -> bool:
        """Have ``work`` done later, with ``ctx`` as the active context.

        :param about: the id of what it changes
        :param name: what is to be done, by which a repeat is known
        :param first: before all that waits, and also where too many do
        :returns: whether it was taken
        """
        with self._guard:
            if (about, name) in self._known:
                LOG.info("%s of %s waits already; this message is a repeat", name[0], about)
                return False
            if len(self._waiting) >= self._most and not first:
                LOG.warning("%s of %s is dropped, it will be asked for again: %d others wait", name[0], about,
                            len(self._waiting))
                return False
            self._known.add((about, name))
            job = _Job(about, name, lane, first, ctx, work)
            self._waiting.insert(sum(j.first for j in self._waiting) if first else len(self._waiting), job)
            self._start()
        return True

    def has(self, about: str, name: tuple) -> bool:
        """Whether this waits or runs."""
        return (about, name) in self._known or (about, name) in self._at_work

    def waiting(self) -> int:
        return len(self._waiting)

    def _start(self) -> None:
        """A thread for each job that may run now; the guard is held."""
        taken = set(self._busy)
        for job in list(self._waiting):
            if job.about in taken:
                continue
            taken.add(job.about)  # also where no thread is free: what came later about it stays behind it
            if self._running[job.lane] < self._lanes[job.lane]:
                try:
                    threading.Thread(target=self._run, args=(job,), daemon=True, name=f"work-{job.name[0]}").start()
                except RuntimeError as error:  # the host has no more threads: when work ends, it is tried again
                    LOG.error("%s of %s waits: %s", job.name[0], job.about, error)
                    break
                self._waiting.remove(job)
                self._busy.add(job.about)
                self._at_work.add((job.about, job.name))
                self._known.discard((job.about, job.name))
                self._running[job.lane] += 1
        self._count()

    def _count(self) -> None:
        waiting = collections.Counter(job.lane for job in self._waiting)
        for lane in self._lanes:
            metrics.WORK_WAITING.labels(self._agent, lane).set(waiting[lane])
            metrics.WORK_RUNNING.labels(self._agent, lane).set(self._running[lane])

    def _run(self, job: _Job) -> None:
        context.activate(job.ctx)
        try:
            job.work()
        except Exception:  # thread boundary: whoever sent it sends it again, or sees what is missing
            LOG.exception("%s of %s ended with an error that nothing had expected", job.name[0], job.about)
        finally:
            context.activate(None)
            with self._guard:
                self._at_work.discard((job.about, job.name))
                self._busy.discard(job.about)
                self._running[job.lane] -= 1
                self._start()
