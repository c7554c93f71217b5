"""Thread pools for long work, so that RPC threads never wait for it."""

import collections
import collections.abc
import dataclasses
import logging
import threading

from common import context, metrics
from common.shares import Shares

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False)
class _Job:
    about: str
    name: tuple
    lane: str
    first: bool
    ctx: context.Context | None
    work: collections.abc.Callable[[], None]

    @property
    def project(self) -> str | None:
        return self.ctx.project_id if self.ctx else None


class Workers:
    """A bounded pool. Jobs about the same object run one at a time, in order of arrival.

    A job that is repeated while the first one waits is dropped, and so is any job while too many are waiting: the sender sends it
    again. A job that is repeated while the first one runs is run again afterwards, because it may be a new request, sent after
    the end of the first was reported.

    :param agent: the name under which the lanes are counted
    :param lanes: {name: number of threads}. Jobs of one lane never wait for threads of another.
    :param kept: {name of a lane: how many of its threads are kept for projects that have no job running in it}, so that one whose
        guests or disks are slow does not have all others wait for them
    """

    def __init__(self, agent: str, lanes: dict[str, int], most_waiting: int = 1000, kept: dict[str, int] | None = None):
        self._agent, self._most = agent, most_waiting
        self._lanes = {name: Shares(count, (kept or {}).get(name, 0)) for name, count in lanes.items()}
        self._guard = threading.Lock()
        self._known: set[tuple] = set()  # (about, name) of waiting jobs
        self._at_work: set[tuple] = set()  # and of running jobs
        self._waiting: list[_Job] = []
        self._busy: set[str] = set()  # objects being worked on
        self._count()  # reset the gauge of a former process

    def put(self, ctx, about: str, name: tuple, work: collections.abc.Callable[[], None], *, lane: str,
            first: bool = False) -> bool:
        """Queue ``work``, to be run with ``ctx`` as the active context.

        :param about: the id of the object that it changes
        :param name: identifies repeats
        :param first: ahead of all waiting jobs, and even if too many are waiting
        :returns: whether it was queued
        """
        with self._guard:
            if (about, name) in self._known:
                LOG.info("%s of %s is waiting already; ignoring the repeated message", name[0], about)
                return False
            if len(self._waiting) >= self._most and not first:
                LOG.warning("%s of %s is dropped and will be requested again: %d others are waiting", name[0], about,
                            len(self._waiting))
                return False
            self._known.add((about, name))
            job = _Job(about, name, lane, first, ctx, work)
            self._waiting.insert(sum(j.first for j in self._waiting) if first else len(self._waiting), job)
            self._start()
        return True

    def has(self, about: str, name: tuple) -> bool:
        """Whether this job is waiting or running."""
        return (about, name) in self._known or (about, name) in self._at_work

    def waiting(self) -> int:
        return len(self._waiting)

    def _start(self) -> None:
        """Start a thread for each job that may run now; the caller holds the lock."""
        taken = set(self._busy)
        for job in list(self._waiting):
            if job.about in taken:
                continue
            taken.add(job.about)  # even without a free thread: later jobs for the object stay behind it
            if self._lanes[job.lane].take(job.project):
                try:
                    threading.Thread(target=self._run, args=(job,), daemon=True, name=f"work-{job.name[0]}").start()
                except RuntimeError as error:  # the host has no more threads: retried when a job ends
                    LOG.error("%s of %s waits: %s", job.name[0], job.about, error)
                    self._lanes[job.lane].give_back(job.project)
                    break
                self._waiting.remove(job)
                self._busy.add(job.about)
                self._at_work.add((job.about, job.name))
                self._known.discard((job.about, job.name))
        self._count()

    def _count(self) -> None:
        waiting = collections.Counter(job.lane for job in self._waiting)
        for lane, shares in self._lanes.items():
            metrics.WORK_WAITING.labels(self._agent, lane).set(waiting[lane])
            metrics.WORK_RUNNING.labels(self._agent, lane).set(shares.used)

    def _run(self, job: _Job) -> None:
        context.activate(job.ctx)
        try:
            job.work()
        except Exception:  # thread boundary: the sender repeats the request, or sees that nothing has changed
            LOG.exception("%s of %s failed with an unexpected error", job.name[0], job.about)
        finally:
            context.activate(None)
            with self._guard:
                self._at_work.discard((job.about, job.name))
                self._busy.discard(job.about)
                self._lanes[job.lane].give_back(job.project)
                self._start()
