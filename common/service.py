"""A daemon: its parts, start and graceful stop.

``Service`` holds the parts of a daemon: configuration, database, RPC clients, token verifier and periodic tasks. Each service's
``service.py`` subclasses it. ``run`` runs one in a process.
"""

import ctypes
import functools
import logging
import os
import pathlib
import signal
import socket
import threading
import time

from paste.deploy import loadapp

from common import auth, db, db_errors, log, notify, periodic, rpc, stacks, tokens, wsgi
from common import conf as conf_module
from common.rest import RestClient

LOG = logging.getLogger(__name__)


class MemoryTrim(periodic.Periodic):
    """Returns freed memory to the operating system, so that a peak does not last."""

    interval_s = 20.0

    def run_once(self) -> None:
        ctypes.CDLL(None).malloc_trim(0)


class Service:
    """Base of all daemons.

    ``name`` is the daemon's name ("compute-api"), ``package`` its database's owner, ``api`` the section of
    ``etc/<conf_name>-paste.ini`` that it serves, or None, ``interface`` the RPC interface that it answers, or None.
    """

    name = ""
    conf_name = ""
    db_name: str | None = None
    api: str | None = None
    interface: type[rpc.Client] | None = None
    default_port = 0
    opts: dict = {}
    rpc_threads = 16
    verifies_tokens = True
    optional_ports: tuple[str, ...] = ()  # additional pipelines that are omitted if their port is in use

    def __init__(self, conf):
        self.conf = conf
        self.stop_event = threading.Event()
        self.db = self.open_database() if self.db_name else None
        self.rest = RestClient(conf)
        self.periodics: list[periodic.Periodic] = []
        self.rpc_server = None
        if self.api and self.verifies_tokens:
            self.verifier = tokens.Verifier()
            self.pull = auth.RevocationPull(self.verifier, self.rest)
            self.periodics.append(self.pull)
        self.setup()

    @classmethod
    def load(cls, state: str | None = None, overrides: dict | None = None):
        return cls(conf_module.load(cls.conf_name, cls.opts, state, overrides))

    def open_database(self) -> db.Database:
        assert self.db_name is not None
        url = self.conf.database.connection or default_url(self.conf.state_path, self.db_name)
        return db.Database(self.db_name, url, pool_size=self.conf.database.pool_size)

    def setup(self) -> None:
        """Create the service's own parts."""

    @functools.cached_property
    def notifier(self) -> notify.Notifier:
        """The notifier of this daemon, created on first use."""
        return notify.Notifier(self.conf, self.name)

    def endpoint(self):
        """The object that implements the RPC interface."""
        return None

    def started(self) -> None:
        """Called when the daemon is ready."""

    def health(self) -> list[str]:
        """Reasons why this daemon cannot work now; empty if it can."""
        if self.db is not None:
            try:
                self.db.ping()
            except Exception as error:  # any exception of the driver has the same meaning
                LOG.debug("database: %s", error)
                return ["the database does not respond"]
        return []

    @classmethod
    def extra_ports(cls, conf) -> dict[str, int]:
        """{pipeline: port} that the daemon serves in addition to its API."""
        return {}

    def wsgi_app(self, pipeline: str):
        token = f"{self.name}-{id(self)}"
        wsgi.SERVICES[token] = self
        ini = conf_module.etc_dir() / f"{self.conf_name}-paste.ini"
        return loadapp(f"config:{ini}", name=pipeline, global_conf={"pileus_service": token})

    def start_background(self) -> None:
        """Start the periodic tasks and the RPC server."""
        for work in self.periodics:
            if not isinstance(work, periodic.Heartbeat):
                work.start(self.stop_event)
        if self.interface:
            self.rpc_server = rpc.server(self.conf, self.interface, self.conf.host, self.endpoint(),
                                         threads=self.rpc_threads, translate=db_errors.translate if self.db else None)
        # The RPC server retries until the broker is up; the API must not wait for it.
        threading.Thread(target=self._listen, daemon=True, name="rpc-start").start()
        self.started()

    def _listen(self) -> None:
        """Start the RPC server, then the heartbeat: whoever receives a heartbeat may call immediately."""
        if self.rpc_server is not None:
            self.rpc_server.start()
        for work in self.periodics:
            if isinstance(work, periodic.Heartbeat):
                work.start(self.stop_event)

    def busy(self) -> bool:
        """Whether a task is in progress."""
        return False

    def stop(self) -> None:
        self.stop_event.set()
        if self.rpc_server is not None:
            self.rpc_server.stop()


def default_url(state_path: str, name: str) -> str:
    directory = pathlib.Path(state_path) / "db"
    directory.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{directory}/{name}.sqlite"


def listen_all(service_class: type[Service], conf) -> dict[str, socket.socket]:
    """{pipeline: listening socket} of an API daemon; created before fork, so that workers share them."""
    if not service_class.api:
        return {}
    ports = {service_class.api: conf.bind_port or service_class.default_port, **service_class.extra_ports(conf)}
    made = {}
    for pipeline, port in ports.items():
        try:
            made[pipeline] = listen(conf, port)
        except OSError as error:
            if pipeline not in service_class.optional_ports:
                raise
            LOG.warning("port %d is in use (%s): %s is not served", port, error, pipeline)
    return made


def listen(conf, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in conf.bind_host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Inherited by accepted sockets. Without it, the last segment of a long response waits for the client's delayed
    # acknowledgement: 40 ms per request.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        sock.bind((conf.bind_host, port))
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}: {conf.bind_host} port {port}") from None
    sock.listen(1024)
    return sock


def serve_wsgi(service: Service, sockets: dict) -> None:
    """Serve all pipelines of an API until it is stopped, each in a thread, which the entry module has made green."""
    for pipeline, sock in sockets.items():
        threading.Thread(target=_serve, args=(service.wsgi_app(pipeline), sock), daemon=True, name=pipeline).start()


def _serve(app, sock) -> None:
    from common import protocol  # imports eventlet, which only serving processes need
    protocol.serve(sock, app, logging.getLogger("wsgi"))


def periodics_for(service: Service, worker: int) -> list[periodic.Periodic]:
    """The periodic tasks of one process of an API: all for the first worker, for others those with ``every_worker``."""
    return [p for p in service.periodics if p.every_worker or not worker]


def run(service_class: type[Service], *, state: str | None, sockets: dict, worker: int = 0,
        overrides: dict | None = None) -> None:
    """Run a daemon until SIGTERM.

    :param worker: 0 runs all periodic tasks; other workers serve requests and the tasks that ``periodics_for`` returns
    """
    service = service_class.load(state, overrides)
    rpc.check_address(service.conf)
    log.setup(service.name, service.conf)
    LOG.info("starting %s, pid %d", service.name, os.getpid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A signal handler may run inside eventlet's hub, where locks must not be waited for, so it only sets a flag.
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda signum, frame: asked.append(signum))
    stacks.install(service.conf.log_file)
    service.periodics = periodics_for(service, worker)
    MemoryTrim().start(service.stop_event)
    log.Levels(service.conf_name, service.opts, service.conf).start(service.stop_event)
    service.start_background()
    serve_wsgi(service, sockets)
    # Short sleeps: eventlet notices what a signal handler did only at its next timer.
    while not asked and not service.stop_event.wait(0.5):
        continue
    service.stop_event.set()
    for sock in sockets.values():
        sock.close()
    service.stop()
    # Requests and steps in progress get some time to finish. Anything longer is in the journal, or is requested again.
    time.sleep(0.5)
    deadline = time.monotonic() + 3
    while service.busy() and time.monotonic() < deadline:
        time.sleep(0.05)
    logging.shutdown()
    os._exit(0)
