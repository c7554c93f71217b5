"""Streams of server-sent events: which kinds of things have changed in the project that a page shows.

Services tell it over the bus (``common.changes``); an event has the kind and nothing else, and the page then asks for its own
content again, with its own rights. A stream ends with its session, or after some minutes; the browser then opens another.
"""

import collections
import dataclasses
import threading
import time
import typing

from common import context, errors
from common.periodic import Periodic
from common.rpcapi import Change, WatchersAPI
from dashboard.session import Ended, Session

# Of one session, the oldest ends when there is another: pages that were left are noticed only when something is sent to them.
MOST_OF_SESSION, MOST = 6, 200
BEAT_S, STREAM_S = 15.0, 300.0
ASKED_S = 60.0  # how often a stream asks identity whether its session goes on: what ended it may be elsewhere
SILENT_S = 40.0  # without a message, not even our own, the bus is away
RETRY_MS = 3000


@dataclasses.dataclass(eq=False)
class Stream:
    """One page. ``everyone``: an administrator's, of all projects."""

    session: Session
    everyone: bool
    kinds: set[str] = dataclasses.field(default_factory=set)
    ended: bool = False
    told: threading.Event = dataclasses.field(default_factory=threading.Event)

    def end(self) -> None:
        self.ended = True
        self.told.set()


class Streams:
    """The streams of this process.

    :param is_over: whether this process knows that a session has ended
    :param is_alive: whether identity still takes a session's token
    """

    def __init__(self, is_over: typing.Callable[[Session], bool], is_alive: typing.Callable[[Session], bool]):
        self._is_over, self._is_alive, self._lock = is_over, is_alive, threading.Lock()
        self._all: collections.OrderedDict[Stream, None] = collections.OrderedDict()
        self._heard = time.monotonic()

    def __len__(self) -> int:
        return len(self._all)

    def open(self, session: Session, *, everyone: bool) -> Stream:
        """:raises ServiceUnavailable: there are too many, or the bus is away; the page asks by itself then"""
        made = Stream(session, everyone and session.admin)
        with self._lock:
            if not self._all:
                self._heard = time.monotonic()  # nobody listened, so nobody sent anything
            own = [stream for stream in self._all if stream.session.id == session.id]
            if not self.hears() or len(self._all) >= MOST and not own:
                raise errors.ServiceUnavailable(part="live refresh")
            if len(own) >= MOST_OF_SESSION or len(self._all) >= MOST:
                own[0].end()
                del self._all[own[0]]
            self._all[made] = None
        return made

    def close(self, stream: Stream) -> None:
        with self._lock:
            self._all.pop(stream, None)

    def hears(self) -> bool:
        """Whether the bus brings messages."""
        return time.monotonic() - self._heard < SILENT_S

    def end(self, session_id: str) -> None:
        """End the streams of a session at once."""
        with self._lock:
            for stream in self._all:
                if stream.session.id == session_id:
                    stream.end()

    def publish(self, changes: typing.Iterable[Change]) -> None:
        self._heard = time.monotonic()
        found = collections.defaultdict[str | None, set[str]](set)
        for change in changes:
            found[change["project_id"]].add(change["kind"])
        if not found:
            return
        everything = set().union(*found.values())
        with self._lock:
            for stream in self._all:
                kinds = everything if stream.everyone else found.get(stream.session.project_id, set())
                if kinds:
                    stream.kinds |= kinds
                    stream.told.set()

    def events(self, stream: Stream) -> typing.Iterator[bytes]:
        """What the browser gets. A comment now and then shows whether it is still there."""
        found = self._events(stream)
        next(found)  # only a generator that has begun closes its stream, and the answer to HEAD is closed without being read
        return found

    def _events(self, stream: Stream) -> typing.Iterator[bytes]:
        began = asked = time.monotonic()
        try:
            yield b""
            yield f"retry: {RETRY_MS}\n\n".encode()
            while not stream.ended and time.monotonic() < began + STREAM_S and self.hears() and not self._is_over(stream.session):
                if time.monotonic() >= asked + ASKED_S:
                    if not self._is_alive(stream.session):
                        return
                    asked = time.monotonic()
                if not stream.told.wait(BEAT_S):
                    yield b":\n\n"
                    continue
                stream.told.clear()
                with self._lock:
                    kinds, stream.kinds = stream.kinds, set()
                if kinds and not self._is_over(stream.session):
                    yield f"event: changed\ndata: {' '.join(sorted(kinds))}\n\n".encode()
        finally:
            self.close(stream)


class Manager:
    """Receives what the services, and other processes of the dashboard, tell."""

    def __init__(self, streams: Streams, ended: Ended):
        self._streams, self._ended = streams, ended

    def changed(self, ctx, changes: list[Change]) -> None:
        self._streams.publish(changes)

    def session_ended(self, ctx, session_id: str, until: float) -> None:
        self._ended.note(session_id, until)
        self._streams.end(session_id)


class Pulse(Periodic):
    """An empty message to oneself while there are streams: if it does not come back, the bus is away."""

    interval_s = 10.0
    every_worker = True

    def __init__(self, api: WatchersAPI, streams: Streams):
        self._streams, self._api = streams, api

    def run_once(self) -> None:
        if len(self._streams):
            self._api.changed(context.service_context(), [])
