"""What is logged, of whom, and at which level."""

import json
import logging
import os

import pytest

from common import conf as conf_module
from common import context, log
from common.middleware import Access
from identity.conf import OPTS


@pytest.fixture
def logger(tmp_path):
    """A logger of its own that writes as the daemons do; (logger, the lines so far)."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    path = tmp_path / "x.log"
    log.setup("x", type("Conf", (), {"log_file": str(path), "debug": False, "default_log_levels": []}))
    yield path, lambda: [json.loads(line) for line in path.read_text().splitlines()]
    root.handlers[0].close()
    root.handlers[:] = handlers
    root.setLevel(level)


def ask(environ: dict, status: str = "200 OK", route: str | None = None):
    def app(environ, start_response):
        environ["pileus.context"] = context.Context(user_id="u", project_id="p", roles=("member",))
        context.activate(environ["pileus.context"])
        if route:
            environ["pileus.route"] = route
        start_response(status, [])
        context.activate(None)
        return []
    Access(app, None)({"REQUEST_METHOD": "GET", "REMOTE_ADDR": "192.0.2.7", **environ}, lambda *answer: None)


def test_a_request_is_one_line(logger):
    _, lines = logger
    ask({"PATH_INFO": "/v2.1/servers/1", "QUERY_STRING": "password=hunter2"}, "404 Not Found", "/v2.1/servers/{id}")
    (line,) = lines()
    assert line["message"] == "GET /v2.1/servers/1: 404" and line["level"] == "INFO" and line["logger"] == "access"
    assert {k: line[k] for k in ("method", "path", "route", "status", "client", "user_id", "project_id", "roles")} == {
        "method": "GET", "path": "/v2.1/servers/1", "route": "/v2.1/servers/{id}", "status": 404, "client": "192.0.2.7",
        "user_id": "u", "project_id": "p", "roles": ["member"]}
    assert line["duration_ms"] >= 0 and line["request_id"].startswith("req-") and "hunter2" not in json.dumps(line)


def test_tokens_in_paths_and_polling_are_left_out(logger):
    _, lines = logger
    ask({"PATH_INFO": "/v2.0/tokens/gAAAAsecret"}, route="/v2.0/tokens/{token}")
    ask({"PATH_INFO": "/v2.0/tokens/gAAAAsecret"}, "401 Unauthorized")
    ask({"PATH_INFO": "/v3/OS-REVOKE/events"}, route="/v3/OS-REVOKE/events")
    ask({"PATH_INFO": "/v3/OS-REVOKE/events"}, "403 Forbidden", route="/v3/OS-REVOKE/events")
    assert [(line["path"], line["status"]) for line in lines()] == [
        ("/v2.0/tokens/{token}", 200), ("/tokens/", 401), ("/v3/OS-REVOKE/events", 403)]


def test_a_rotated_log_file_is_created_again(logger):
    path, lines = logger
    logging.getLogger("x").info("before")
    os.rename(path, f"{path}.1")
    logging.getLogger("x").info("after")
    assert [line["message"] for line in lines()] == ["after"]


def test_levels_change_without_a_restart(logger, tmp_path):
    _, lines = logger
    etc = tmp_path / "etc" / "identity.conf.d"
    etc.mkdir(parents=True)
    (etc / "levels.conf").write_text("[DEFAULT]\ndefault_log_levels = pileus.test=ERROR\n")
    conf = conf_module.load("identity", OPTS, str(tmp_path))
    log.set_levels(conf.debug, conf.default_log_levels)
    work = log.Levels("identity", OPTS, conf)

    def levels() -> tuple[int, int]:
        work.run_once()
        return logging.getLogger("pileus.test").level, logging.getLogger().level
    assert levels() == (logging.ERROR, logging.INFO)
    (etc / "levels.conf").write_text("[DEFAULT]\ndebug = true\ndefault_log_levels = pileus.test=WARN, nonsense, a=LOUD\n")
    assert levels() == (logging.WARNING, logging.DEBUG)
    assert [line["message"].partition(": ")[2] for line in lines() if line["level"] == "ERROR"] == [
        "'nonsense' does not have the form logger=LEVEL", "'a=LOUD' does not have the form logger=LEVEL"]
    (etc / "levels.conf").write_text("[DEFAULT]\ndefault_log_levels = pileus.test=ERROR\n")
    assert levels() == (logging.ERROR, logging.INFO)
    (etc / "levels.conf").unlink()
    assert levels() == (logging.NOTSET, logging.INFO), "also what was named when the daemon started"


def test_a_broker_that_is_away_is_logged_once_a_minute(logger, monkeypatch):
    _, lines = logger
    now = [1000.0]
    monkeypatch.setattr(log, "time", type("Time", (), {"monotonic": lambda: now[0]}))
    bus = logging.getLogger(log.BUS)
    monkeypatch.setattr(bus, "level", logging.INFO)

    def said(*words) -> list[tuple[str, str]]:
        before = len(lines())
        bus.log(*words)
        return [(line["level"], line["message"]) for line in lines()[before:]]
    unreachable = "[%(connection_id)s] AMQP server on %(hostname)s:%(port)s is unreachable: %(err_str)s. Trying again in " \
                  "%(sleep_time)d seconds."
    values = {"connection_id": "7", "hostname": "10.0.0.1", "port": 5672, "err_str": "[Errno 111] ECONNREFUSED", "sleep_time": 1}
    away = "the broker does not respond, and is asked again until it does: "
    assert said(logging.INFO, "[7] Reconnected to AMQP server on 10.0.0.1:5672") == []  # as at the start
    assert said(logging.ERROR, unreachable, values) == [("ERROR", f"{away}[Errno 111] ECONNREFUSED")]
    now[0] += log.OUTAGE_S - 1
    assert said(logging.ERROR, "Connection failed: %s (retrying in %s seconds)", "[Errno 111] ECONNREFUSED", 1.0) == []
    now[0] += 1
    assert said(logging.ERROR, "Connection failed: %s (retrying in %s seconds)", "(0, 0): (403) ACCESS_REFUSED - Login", 1.0) == [
        ("ERROR", f"{away}it refuses the user name or the password in transport_url")]
    assert said(logging.INFO, "[7] Reconnected to AMQP server on 10.0.0.1:5672 via [amqp] client with port 9.") == [
        ("INFO", "the broker responds again")]
    assert said(logging.WARNING, "Unexpected error during heartbeat processing, retrying...") == []
    assert said(logging.ERROR, "Unable to connect to AMQP server on 10.0.0.1:5672 after 1 tries: <RecoverableConnectionError: "
                               "unknown error>") == [("ERROR", f"{away}it closed the connection")]
    assert said(logging.ERROR, "The broker has blocked the connection: low on memory") == [
        ("ERROR", "The broker has blocked the connection: low on memory")]
