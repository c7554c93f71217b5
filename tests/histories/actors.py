"""Work that goes on at the same time, each step of it when it is told to.

An actor is a greenlet that stops before and after whatever it does to others. So a history can let any of them go on, or
kill one, at any of these points, and the same history does the same again.
"""

import collections.abc

import greenlet

from common import context


class Killed(BaseException):
    """In place of ``kill -9``: nothing after it runs, not even an undo."""


class Actor:
    """One piece of work.

    :param host: whose it is; "" is the controller's
    :param subject: the id of the server that it is about, where it is about one
    """

    def __init__(self, work: collections.abc.Callable[[], object], *, host: str = "", subject: str = "", name: str = ""):
        self.host, self.subject, self.name = host, subject, name
        self.waits_for: collections.abc.Callable[[], bool] | None = None
        self.error: BaseException | None = None
        self.at = ""  # the name of the point where it stands
        self._context: context.Context | None = None
        self._begun = self._called_off = False
        self._green = greenlet.greenlet(lambda: self._run(work))

    def _run(self, work) -> None:
        try:
            work()
        except (Exception, Killed) as error:  # boundary of an actor: shown to who asked
            self.error = error

    @property
    def ended(self) -> bool:
        return self._green.dead or self._called_off

    @property
    def blocked(self) -> bool:
        return self.waits_for is not None and not self.waits_for()

    def step(self) -> None:
        """Go on to the next point."""
        self._begun = True
        self._switch(self._green.switch)

    def kill(self) -> None:
        """As ``kill -9``: nothing more of it is done."""
        self._called_off = not self._begun
        while not self.ended:
            self._switch(lambda: self._green.throw(Killed()))

    def _switch(self, switch) -> None:
        before = context.active()
        context.activate(self._context)
        try:
            switch()
        finally:
            self._context = context.active()
            context.activate(before)


def point(name: str, waits_for: collections.abc.Callable[[], bool] | None = None) -> None:
    """Stop here until told to go on; outside of actors, go on. ``waits_for``: what must be true before."""
    current = greenlet.getcurrent()
    if current.parent is None:
        assert waits_for is None or waits_for(), "what is waited for outside of actors must be there"
        return
    actor = _actor_of(current)
    actor.at, actor.waits_for = name, waits_for
    current.parent.switch()
    actor.waits_for = None


_ACTORS: dict = {}


def _actor_of(green) -> Actor:
    return _ACTORS[green]


def start(work, **named) -> Actor:
    made = Actor(work, **named)
    _ACTORS[made._green] = made
    return made


def forget(actor: Actor) -> None:
    _ACTORS.pop(actor._green, None)


class Lock:
    """A lock that actors wait for."""

    def __init__(self):
        self.held = False

    def acquire(self, blocking: bool = True) -> bool:
        if self.held and not blocking:
            return False
        while self.held:
            point("lock", lambda: not self.held)
        self.held = True
        return True

    def release(self) -> None:
        self.held = False

    def locked(self) -> bool:
        return self.held

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, *_):
        self.release()
