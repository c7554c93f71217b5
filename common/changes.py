"""What changed, for those who watch: messages with kinds and projects, and nothing about the resources themselves.

Whoever notifies (``common.notify``) also notes a change here. Changes of a quarter of a second are one message, so a daemon
sends at most four in a second, however much it does, and none while nothing changes. The bus drops them if nobody watches.
"""

import logging
import threading
import time

from common import context, errors
from common.rpcapi import WatchersAPI

LOG = logging.getLogger(__name__)
COLLECT_S = 0.25
_KINDS = {"instance": "servers", "l3": "metering_labels"}  # others are called as in their events


def kind_of(event_type: str) -> str:
    """The collection that an event is about: ``compute.instance.create.end`` is about servers."""
    parts = event_type.split(".")
    noun = parts[1] if parts[0] in ("compute", "identity") and len(parts) > 1 else parts[0]
    return _KINDS.get(noun, f"{noun}s")


def project_of(ctx, payload: dict) -> str | None:
    """The project of what an event is about; the caller's, if the event does not say it."""
    parts = [payload, *(part for part in payload.values() if isinstance(part, dict))]
    found = (part.get(name) for part in parts for name in ("tenant_id", "project_id", "owner"))
    return next(filter(None, found), None) or (ctx.project_id if ctx is not None else None)


class Changes:
    """The changes that one daemon makes."""

    def __init__(self, conf):
        self._api = WatchersAPI(conf)
        self._lock, self._waiting, self._sends = threading.Lock(), set[tuple[str, str | None]](), False

    def note(self, kind: str, project_id: str | None) -> None:
        """Send a change soon; nothing waits for that, and nothing fails with it."""
        with self._lock:
            self._waiting.add((kind, project_id))
            first, self._sends = not self._sends, True
        if first:
            threading.Thread(target=self._run, daemon=True, name="changes").start()

    def _run(self) -> None:
        """Send until nothing waits any more. While the bus is away, changes of that time become one message."""
        while True:
            time.sleep(COLLECT_S)
            with self._lock:
                found, self._waiting = self._waiting, set()
                if not found:
                    self._sends = False
                    return
            self._send(sorted(found, key=repr))

    def _send(self, found: list[tuple[str, str | None]]) -> None:
        try:
            self._api.changed(context.service_context(), [{"kind": kind, "project_id": project} for kind, project in found])
        except errors.Error as error:
            LOG.debug("changes were not sent: %s", error.internal or error)
        except Exception as error:  # thread boundary: pages are refreshed later
            LOG.warning("changes were not sent: %s", error)
