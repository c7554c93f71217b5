"""The exporter: serves /metrics of a host, at an address that neither guests nor users of the cloud can reach.

Each host has one. It exports the counters of the host's daemons (``common/metrics.py``) and whether they run. On a
host with the databases it also exports the whole cloud: hosts, capacity, servers, volumes, agents, queues. Databases
are read during a scrape, with a number of statements that does not depend on the cloud's size. Queues are read
separately, so that a broker that hangs does not delay scrapes.
"""

import logging
import os
import socket
import socketserver
import threading
import wsgiref.simple_server

import prometheus_client as prometheus
import psutil
from oslo_config import cfg
from prometheus_client import multiprocess
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from common import metrics, periodic, version
from common.service import Service
from deploy import ports, processes
from deploy.daemons import HOST_DAEMONS, METRICS_PORT

LOG = logging.getLogger(__name__)
OPTS = {"metrics": [
    cfg.IPOpt("bind_host", default="127.0.0.1",
              help="Address at which /metrics is served. Neither guests nor users of the cloud may reach it, so it must "
                   "differ from that of the APIs, unless that is a loopback address."),
    cfg.PortOpt("port", default=METRICS_PORT, help="Port at which /metrics is served."),
    cfg.BoolOpt("whole_cloud", default=True, help="Whether to export metrics of the whole cloud; requires its databases."),
    cfg.IntOpt("bus_interval_s", default=15, min=1, max=3600, help="Seconds between reads of the broker's queues."),
]}


class Serve(periodic.Periodic):
    """Listens; retries if that fails, because the address does not exist yet or the port is in use."""

    def __init__(self, exporter: "Exporter"):
        self.exporter = exporter

    def run_once(self) -> None:
        if self.exporter.server is None:
            self.exporter.listen()


class Processes:
    """A collector of the daemons' resource usage on this host."""

    def __init__(self, conf):
        self.state, self.whole_cloud = conf.state_path, conf.metrics.whole_cloud
        self._known: dict[int, psutil.Process] = {}

    def _pids(self) -> dict[str, int | None]:
        if self.whole_cloud:
            return processes.of_cloud(self.state)
        running = processes.daemons(os.getppid())
        return {name: running.get(name) for name in HOST_DAEMONS}

    def collect(self):
        up = GaugeMetricFamily("pileus_daemon_up", "Whether a daemon of this host runs.", labels=["daemon"])
        memory = GaugeMetricFamily("pileus_daemon_memory_bytes", "Memory of a daemon; shared memory is divided among its users.",
                                   labels=["daemon"])
        cpu = CounterMetricFamily("pileus_daemon_cpu_seconds", "CPU time of a daemon.", labels=["daemon"])
        started = GaugeMetricFamily("pileus_daemon_start_time_seconds", "When a daemon was started, Unix time.",
                                    labels=["daemon"])
        for name, pid in self._pids().items():
            up.add_metric([name], int(pid is not None))
            if pid is None:
                continue
            try:
                process = psutil.Process(pid)
                with process.oneshot():
                    times = process.cpu_times()
                    memory.add_metric([name], process.memory_full_info().pss)
                    cpu.add_metric([name], times.user + times.system)
                    started.add_metric([name], process.create_time())
            except psutil.Error:  # it has just ended
                continue
        yield from (up, memory, cpu, started)
        about = GaugeMetricFamily("pileus_build_info", "1; the release is in its label.", labels=["version"])
        about.add_metric([version.text()], 1)
        yield about


class Counted:
    """A collector of the counters of all processes on this host; a damaged file must not hide the others."""

    def __init__(self, directory: str):
        self._files = multiprocess.MultiProcessCollector(None, directory)

    def collect(self):
        try:
            yield from self._files.collect()
        except Exception as error:  # boundary: the library's files may contain anything
            LOG.warning("the counters of a process cannot be read: %s: %s", type(error).__name__, error)


class Exporter(Service):
    name, conf_name, opts = "exporter", "exporter", OPTS

    def setup(self) -> None:
        self.server: Server | None = None
        self.registry = prometheus.CollectorRegistry()
        directory = os.environ.get(metrics.DIRECTORY)
        self.registry.register(Counted(directory) if directory else prometheus.REGISTRY)  # type: ignore[arg-type]
        self.registry.register(Processes(self.conf))  # type: ignore[arg-type]
        self.periodics.append(Serve(self))
        if self.conf.metrics.whole_cloud:
            from deploy import cloud_metrics  # compute-only hosts do not need the modules that read databases
            self.overview = cloud_metrics.Overview(self.conf.state_path, "exporter")
            self.cloud = cloud_metrics.CloudMetrics(self.overview)
            self.registry.register(self.cloud)  # type: ignore[arg-type]
            self.periodics.append(cloud_metrics.QueueReader(self.conf, self.cloud))

    def listen(self) -> None:
        """:raises OSError: the address is not available"""
        of = self.conf.metrics
        if self.conf.metrics.whole_cloud and (reason := ports.why_no_metrics(of.bind_host, self.conf.bind_host)):
            raise OSError(f"/metrics is not served: {reason}")
        self.server = Server(of.bind_host, of.port, self.wsgi)
        threading.Thread(target=self.server.serve_forever, daemon=True, name="metrics").start()

    @property
    def wsgi(self):
        shown = prometheus.make_wsgi_app(self.registry)

        def app(environ, start_response):
            if environ["PATH_INFO"] == "/metrics":
                return shown(environ, start_response)
            well = environ["PATH_INFO"] == "/healthcheck"
            start_response("200 OK" if well else "404 Not Found", [("Content-Type", "text/plain")])
            return [b"ok\n" if well else b"Metrics are at /metrics.\n"]
        return app

    def stop(self) -> None:
        super().stop()
        if self.server is not None:
            self.server.server_close()


class _Quiet(wsgiref.simple_server.WSGIRequestHandler):
    timeout = 30  # against clients that send nothing

    def log_message(self, format, *args):
        LOG.debug(format, *args)


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True

    def __init__(self, host: str, port: int, app):
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Quiet)
        self.set_app(app)

    def server_bind(self) -> None:
        """As the base class, without resolving the host's name, which may take long."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()
