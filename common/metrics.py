"""Prometheus metrics of one process, served at /metrics."""

import prometheus_client as prometheus

REQUESTS = prometheus.Histogram("pileus_http_request_seconds", "Time to answer, by route and status.",
                                ["service", "method", "route", "status"],
                                buckets=(.002, .005, .01, .025, .05, .1, .25, 1, 5, 30))
SQL = prometheus.Counter("pileus_sql_statements_total", "SQL statements sent, without BEGIN and COMMIT.",
                         ["service"])
RPC = prometheus.Counter("pileus_rpc_messages_total", "RPC requests sent, by call or cast.",
                         ["topic", "method", "kind"])
TASKS = prometheus.Counter("pileus_tasks_total", "Tasks ended, by result.", ["task", "result"])


def render() -> tuple[bytes, str]:
    return prometheus.generate_latest(), prometheus.CONTENT_TYPE_LATEST
