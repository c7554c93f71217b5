"""Structured logs: one JSON object per line, with the request id of the thread that wrote it."""

import datetime
import json
import logging
import logging.handlers
import re
import sys
import time

from common import conf as conf_module
from common import context, periodic

LOG = logging.getLogger(__name__)
BUS = "oslo.messaging._drivers.impl_rabbit"
OUTAGE_S = 60  # a broker that does not respond is logged again after this time
# A header, JSON field or key=value pair with a secret; the value is replaced.
_SECRET = re.compile(r"(?i)((?:x-auth-token|x-subject-token|password|secret|adminPass|auth_key)"
                     r"[\"']?\s*[:=]\s*[\"']?)([^\"'\s,}]+)")

# An attempt to connect to the broker that failed.
_LOST = re.compile(r"(?:Connection failed|is unreachable|closed the connection[^:]*"
                   r"|Unable to connect to AMQP server[^:]*:\d+[^:]*): (?P<why>.*?)"
                   r"(?:\. Trying again in .*| \(retrying in .*)?\Z", re.S)
_REFUSED = "it refuses the user name or the password in transport_url"


def mask(text: str) -> str:
    """Replace the values of known secrets in a log text."""
    return _SECRET.sub(r"\1***", text)


class JsonFormatter(logging.Formatter):
    def __init__(self, service: str):
        super().__init__()
        self.service = service

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)
        line = {"time": at.isoformat(timespec="milliseconds"), "level": record.levelname,
                "service": self.service, "logger": record.name, "message": mask(record.getMessage())}
        ctx = context.active()
        if ctx:
            line["request_id"] = ctx.trace_id
            if ctx.project_id:
                line["project_id"] = ctx.project_id
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = mask(self.formatException(record.exc_info))
        return json.dumps(line)


def setup(service: str, conf) -> None:
    """Send the log to the service's file, or to standard error.

    If the file is moved away, as logrotate does, the next line creates a new one.
    """
    to_file(service, conf.log_file)
    set_levels(conf.debug, conf.default_log_levels)
    bus = logging.getLogger(BUS)
    if not any(isinstance(each, Outages) for each in bus.filters):
        bus.addFilter(Outages())


def to_file(service: str, path: str) -> None:
    """Write JSON lines to a file; to standard error if ``path`` is empty."""
    handler: logging.Handler = logging.handlers.WatchedFileHandler(path) if path else logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    logging.getLogger().handlers[:] = [handler]


class Outages(logging.Filter):
    """Of what oslo.messaging logs about its connections, lets through that the broker does not respond, once a minute, and that
    it responds again. Each connection of a daemon retries several times a minute."""

    def __init__(self):
        super().__init__()
        self._said: float | None = None  # when the outage was last logged; None: there is none

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if "Reconnected to AMQP server" in text:
            was_away, self._said = self._said is not None, None
            record.msg, record.args = "the broker responds again", ()
            return was_away
        lost = _LOST.search(text)
        if lost is None:
            return record.levelno >= logging.ERROR
        now = time.monotonic()
        if self._said is not None and now - self._said < OUTAGE_S:
            return False
        self._said = now
        why = _REFUSED if "ACCESS_REFUSED" in text else lost["why"].replace("<RecoverableConnectionError: unknown error>",
                                                                           "it closed the connection")
        record.msg, record.args = "the broker does not respond, and is asked again until it does: %s", (why,)
        return True


def set_levels(debug: bool, levels: list[str]) -> None:
    """:param levels: logger=LEVEL, as in default_log_levels; invalid entries are logged and ignored"""
    logging.getLogger().setLevel(logging.DEBUG if debug else logging.INFO)
    for item in levels:
        name, _, level = item.partition("=")
        try:
            logging.getLogger(name).setLevel(level.upper())
        except ValueError:
            LOG.error("default_log_levels: %r does not have the form logger=LEVEL", item)


class Levels(periodic.Periodic):
    """Reloads ``debug`` and ``default_log_levels`` when a configuration file changes."""

    interval_s, jitter_s = 2.0, 0.5

    def __init__(self, service: str, opts: dict, conf):
        self.service, self.opts, self.state = service, opts, conf.state_path
        self.seen = self._stamps()
        self.named = _named(conf.default_log_levels)

    def _stamps(self) -> dict:
        return {path: ((found := path.stat()).st_mtime_ns, found.st_size)
                for path in conf_module.files(self.service, self.state)}

    def run_once(self) -> None:
        stamps = self._stamps()
        if stamps == self.seen:
            return
        self.seen = stamps  # before the file is read, so that an unreadable one is logged once
        conf = conf_module.load(self.service, self.opts, self.state)
        named = _named(conf.default_log_levels)
        # A logger that is no longer listed inherits the root's level again.
        set_levels(conf.debug, [*(f"{name}=NOTSET" for name in sorted(self.named - named)), *conf.default_log_levels])
        self.named = named


def _named(levels: list[str]) -> set[str]:
    return {item.partition("=")[0] for item in levels}
