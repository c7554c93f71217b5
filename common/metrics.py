"""Prometheus metrics that processes count by themselves. The exporter (``deploy/exporter.py``) serves them; no API does.

The daemons of a host count into files of one directory, ``$PROMETHEUS_MULTIPROC_DIR``, each under the name that it gave to
``identify``: a host has one address to scrape, and no answer of an API waits while text is made of thousands of counters.
Without the variable they count in memory, as in a cloud that is one process.
"""

import os

import prometheus_client as prometheus
from prometheus_client import values

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
_name = ""


def identify(name: str) -> None:
    """Count under this name from here on. No two processes that run at the same time may have the same."""
    global _name
    _name = name


if DIRECTORY in os.environ:
    values.ValueClass = values.MultiProcessValue(lambda: _name or f"pid{os.getpid()}")  # type: ignore[misc]

REQUESTS = prometheus.Histogram("pileus_http_request_seconds", "Time to answer, by route and status.",
                                ["service", "method", "route", "status"],
                                buckets=(.002, .005, .01, .025, .05, .1, .25, 1, 5, 30))
SQL = prometheus.Counter("pileus_sql_statements_total", "SQL statements sent, without BEGIN and COMMIT.",
                         ["service"])
SQL_ERRORS = prometheus.Counter(
    "pileus_sql_errors_total", "Errors that databases answered with, by kind: away (it does not answer, or refuses everybody), "
    "retried (a transaction that it gave up, which is run again), constraint (a row that it must refuse), client (a value that a "
    "client sent), ours (a statement that is wrong).", ["service", "kind"])
RPC = prometheus.Counter("pileus_rpc_messages_total", "RPC requests sent, by call or cast.",
                         ["topic", "method", "kind"])
RPC_ERRORS = prometheus.Counter(
    "pileus_rpc_errors_total", "RPC requests that went wrong, by kind: away (the broker does not take them), undeliverable (no "
    "queue does: nobody ever listened), timeout (no answer in time), failed (who was asked met an error of its own).",
    ["topic", "kind"])
RPC_WAITING = prometheus.Gauge("pileus_rpc_waiting", "RPC requests that daemons took from the bus and have not begun.",
                               ["topic"], multiprocess_mode="sum")
WORK_WAITING = prometheus.Gauge("pileus_work_waiting", "Work that agents have accepted and not begun, by lane.",
                                ["agent", "lane"], multiprocess_mode="sum")
WORK_RUNNING = prometheus.Gauge("pileus_work_running", "Work that agents are doing, by lane: as much as it has threads at most.",
                                ["agent", "lane"], multiprocess_mode="sum")
TASKS = prometheus.Counter("pileus_tasks_total", "Tasks ended, by result.", ["task", "result"])
