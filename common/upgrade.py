"""The RPC version that a client may send while hosts are upgraded one after the other.

A client sends no newer version than all its servers understand. ``[upgrade_levels]`` may set the version of an interface.
Otherwise ("auto") it is the lowest version of the running services, as reported in their heartbeats; for clients whose database
does not have these, it is learnt when a server refuses a message.
"""

import collections.abc
import logging
import time

from common.conf import ConfigError
from common.messages import FIRST, Version, format_version, parse_version

LOG = logging.getLogger(__name__)
AUTO = "auto"
VERSION_EXPIRES_S = 86400  # after which the version of a silent host no longer holds back newer messages
REFRESH_S = 30.0
# Reads the versions of the running services from their heartbeats; None: a release that does not report it.
Running = collections.abc.Callable[[], collections.abc.Iterable[str | None]]


class Level:
    """The version that a client sends.

    :param name: of the interface in ``[upgrade_levels]``; "": none
    :param own: the version of this release
    :param running: reads the versions of the services; None if the client has no database
    :raises ConfigError: the configured version does not exist
    """

    def __init__(self, conf, name: str, own: Version, running: Running | None = None):
        self._own, self._name, self._running = own, name, running
        configured = conf.upgrade_levels[name] if name else AUTO
        self._fixed = None if configured == AUTO else parse_version(configured)
        if self._fixed is not None and not FIRST <= self._fixed <= own:
            raise ConfigError(f"[upgrade_levels] {name} = {configured}: this release has {format_version(FIRST)} to "
                              f"{format_version(own)}")
        self._level = own
        self._read_at: float | None = None

    def version(self) -> Version:
        if self._fixed is not None:
            return self._fixed
        if self._read_at is None or time.monotonic() - self._read_at > REFRESH_S:
            self._read()
        return self._level

    def _read(self) -> None:
        before, first = self._level, self._read_at is None
        self._read_at = time.monotonic()
        try:
            found = [parse_version(v) if v else FIRST for v in self._running()] if self._running else []
        except Exception as error:  # whatever the database raises, the message is sent
            LOG.warning("the versions of the running services of %s cannot be read: %s", self._name, error)
            self._level = FIRST if first else before
            return
        self._level = min([self._own, *found])
        if self._level != before:
            LOG.info("messages to %s are sent in version %s; this release has %s", self._name, format_version(self._level),
                     format_version(self._own))

    def refused(self, version: Version) -> bool:
        """A server does not support ``version``; returns whether to retry with an older one, which is then used until the next
        refresh."""
        if self._fixed is not None or version <= FIRST:
            return False
        self._level, self._read_at = (version[0], version[1] - 1), time.monotonic()
        LOG.info("messages to %s are sent in version %s: a server knows no newer one", self._name, format_version(self._level))
        return True
