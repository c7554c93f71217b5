"""Structured logs: one JSON object per line, with the request id of the thread that wrote it."""

import datetime
import json
import logging
import logging.handlers
import re
import sys

from common import conf as conf_module
from common import context, periodic

LOG = logging.getLogger(__name__)
# A header, JSON field or key=value pair with a secret; the value is replaced.
_SECRET = re.compile(r"(?i)((?:x-auth-token|x-subject-token|password|secret|adminPass|auth_key)"
                     r"[\"']?\s*[:=]\s*[\"']?)([^\"'\s,}]+)")


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
    handler: logging.Handler = (logging.handlers.WatchedFileHandler(conf.log_file) if conf.log_file
                                else logging.StreamHandler(sys.stderr))
    handler.setFormatter(JsonFormatter(service))
    logging.getLogger().handlers[:] = [handler]
    set_levels(conf.debug, conf.default_log_levels)


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
