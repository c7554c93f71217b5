"""Prometheus metrics counted by the daemons. The exporter (``deploy/exporter.py``) serves them, the APIs do not.

The daemons of a host write to files in one directory, ``$PROMETHEUS_MULTIPROC_DIR``, each under the name passed to ``identify``.
So a host has one address to scrape, and no API request waits for the rendering of metrics. Without the variable, metrics are kept
in memory, as in a cloud that runs in one process.
"""

import os

import prometheus_client as prometheus
from prometheus_client import values

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
_name = ""


def identify(name: str) -> None:
    """Count under this name from now on. Two running processes must not use the same name."""
    global _name
    _name = name


if DIRECTORY in os.environ:
    values.ValueClass = values.MultiProcessValue(lambda: _name or f"pid{os.getpid()}")  # type: ignore[misc]

REQUESTS = prometheus.Histogram("pileus_http_request_seconds", "Response time by route and status.",
                                ["service", "method", "route", "status"],
                                buckets=(.002, .005, .01, .025, .05, .1, .25, 1, 5, 30))
SQL = prometheus.Counter("pileus_sql_statements_total", "SQL statements, except BEGIN and COMMIT.",
                         ["service"])
SQL_ERRORS = prometheus.Counter(
    "pileus_sql_errors_total", "Errors that databases answered with, by kind: away (it does not answer, or refuses everybody), "
    "retried (a transaction that it gave up, which is run again), constraint (a row that it must refuse), client (a value that a "
    "client sent), ours (a statement that is wrong).", ["service", "kind"])
RPC = prometheus.Counter("pileus_rpc_messages_total", "RPC requests sent, by kind: call or cast.",
                         ["topic", "method", "kind"])
RPC_ERRORS = prometheus.Counter(
    "pileus_rpc_errors_total", "RPC requests that went wrong, by kind: away (the broker does not take them), undeliverable (no "
    "queue does: nobody ever listened), timeout (no answer in time), failed (who was asked met an error of its own).",
    ["topic", "kind"])
RPC_WAITING = prometheus.Gauge("pileus_rpc_waiting", "RPC requests received from the bus and not started yet.",
                               ["topic"], multiprocess_mode="sum")
WORK_WAITING = prometheus.Gauge("pileus_work_waiting", "Work items accepted and not started yet, by lane.",
                                ["agent", "lane"], multiprocess_mode="sum")
WORK_RUNNING = prometheus.Gauge("pileus_work_running", "Work items running, by lane.",
                                ["agent", "lane"], multiprocess_mode="sum")
TASKS = prometheus.Counter("pileus_tasks_total", "Finished tasks by result.", ["task", "result"])
