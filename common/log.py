"""Structured logs: one JSON object a line, with the request id of the thread that wrote it."""

import datetime
import json
import logging
import re
import sys

from common import context

# A header, a JSON field or a key=value pair that holds a secret; the value is replaced.
_SECRET = re.compile(r"(?i)((?:x-auth-token|x-subject-token|password|secret|adminPass|auth_key)"
                     r"[\"']?\s*[:=]\s*[\"']?)([^\"'\s,}]+)")


def mask(text: str) -> str:
    """Replace the values of well-known secrets in a log text."""
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
        if record.exc_info:
            line["exception"] = mask(self.formatException(record.exc_info))
        return json.dumps(line)


def setup(service: str, conf) -> None:
    """Point the root logger at the service's log file, or standard error."""
    handler: logging.Handler = (logging.FileHandler(conf.log_file) if conf.log_file
                                else logging.StreamHandler(sys.stderr))
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if conf.debug else logging.INFO)
    for noisy in ("amqp", "oslo.messaging", "oslo_messaging", "urllib3", "alembic", "sqlalchemy", "stevedore",
                  "oslo_policy", "pyroute2", "futurist", "routes"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # One line per lost connection is enough; the tracebacks of retries are not news.
    logging.getLogger("oslo.messaging._drivers.impl_rabbit").setLevel(logging.ERROR)
