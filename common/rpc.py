"""RPC over oslo.messaging, with our context and declared errors.

A service's ``rpcapi.py`` subclasses ``Client`` and declares its methods (see ``common.interface``); its ``manager.py`` implements
them, and only declared methods can be called. Messages have declared shapes. A cast may be lost (broker down) or delivered twice
(redelivery): every endpoint method is repeatable, and every cast has a reconciler that notices if its effect is missing.
"""

import logging
import threading
from typing import NoReturn

import amqp.exceptions
import kombu.exceptions
import oslo_messaging as messaging
from kombu.transport import pyamqp
from oslo_config import cfg
from oslo_messaging._drivers.common import PURPOSE_SEND
from oslo_messaging.rpc.server import RPCServer

from common import conf as conf_module
from common import context, errors, interface, metrics, units, upgrade
from common.messages import Version, format_version, parse_version

LOG = logging.getLogger(__name__)
# Exceptions of publishing without a broker; the last two occur when it opens a new connection.
_AWAY = (messaging.MessageDeliveryFailure, kombu.exceptions.KombuError, OSError)
# Exceptions counted as errors of the bus: see metrics.RPC_ERRORS.
ERRORS = ("away", "undeliverable", "timeout", "failed")
# The broker returns a message that no queue takes, because its receiver has not connected since the broker started. Otherwise a
# call would wait for its timeout, and a lost cast would be noticed late.
_DELIVERED = messaging.TransportOptions(at_least_once=True)


class Serializer(messaging.NoOpSerializer):
    def serialize_context(self, ctxt):
        return ctxt.as_dict()

    def deserialize_context(self, ctxt):
        return context.Context.from_dict(ctxt)


def check_address(conf) -> None:
    """:raises ConfigError: no broker is configured"""
    url = messaging.TransportURL.parse(conf)
    if url.transport == "rabbit" and not url.hosts:
        raise conf_module.ConfigError(f"{conf.state_path}/etc/pileus.conf: [DEFAULT] transport_url is missing")


def transport(conf):
    """The transport of this process, created once per configuration object."""
    existing = getattr(conf, "pileus_transport", None)
    if existing is not None:
        return existing
    # oslo.messaging reads two option groups from the global object.
    for group in ("oslo_messaging_metrics", "oslo_messaging_tracing"):
        for name, opt in cfg.CONF._groups[group]._opts.items():
            try:
                conf.register_opt(opt["opt"], group=group)
            except cfg.DuplicateOptError:
                LOG.debug("%s.%s is registered already", group, name)
    made = messaging.get_rpc_transport(conf, allowed_remote_exmods=errors.REMOTE_MODULES)
    _retry_if_refused()
    _bound(made)
    object.__setattr__(conf, "pileus_transport", made)
    object.__setattr__(conf, "pileus_answers", _ReplyQueue(made))
    return made


def _retry_if_refused() -> None:
    """Have kombu retry if the broker refuses the account or the virtual host, as if the broker was away.

    Otherwise the threads that receive messages would end with the first refusal, and the daemon would never receive any again,
    although the broker accepts it later.
    """
    known = pyamqp.Transport.recoverable_connection_errors
    refusals = (amqp.exceptions.AccessRefused, amqp.exceptions.NotAllowed)
    pyamqp.Transport.recoverable_connection_errors = (*known, *(each for each in refusals if each not in known))


def _bound(bus) -> None:
    """Limit how often pooled connections for sending try to reconnect to the broker.

    Those that oslo.messaging opens for replies would retry forever: their heartbeat reconnects while it holds the connection's
    lock, and whoever takes the connection from the pool waits for that lock.
    """
    pool = getattr(bus._driver, "_connection_pool", None)  # the in-memory driver has none
    if pool is None:
        return
    connect = pool.connection_cls

    def bounded(conf, url, purpose, retry=None):
        made = connect(conf, url, purpose, retry=retry)
        if purpose == PURPOSE_SEND:
            made.max_retries = 1
        return made
    pool.connection_cls = bounded


class _ReplyQueue:
    """The reply queue of this process.

    oslo.messaging creates it in the first call, and waits forever while the broker is down. So a thread creates it, and calls
    wait for that only briefly; once created, the queue reconnects by itself.
    """

    WAIT_S = 3

    def __init__(self, bus):
        self._bus, self._lock = bus, threading.Lock()
        self._ready: threading.Event | None = None

    def wait(self, timeout_s: float) -> bool:
        """Whether the queue exists, after waiting at most ``timeout_s`` or WAIT_S."""
        with self._lock:
            if self._ready is None:
                self._ready = threading.Event()
                threading.Thread(target=self._make, args=(self._ready,), daemon=True, name="rpc-answers").start()
        return self._ready.is_set() or self._ready.wait(min(timeout_s, self.WAIT_S))

    def _make(self, ready: threading.Event) -> None:
        make = getattr(self._bus._driver, "_get_reply_q", None)  # the in-memory driver has none and never blocks
        if make:
            make()
        ready.set()


class Client:
    """Base of all interfaces: sends what their methods declare.

    ``history`` describes each version of the interface; the last one is that of this release. The major version never changes: a
    peer with a newer minor version also understands older ones.
    """

    topic = ""
    level = ""  # the option in [upgrade_levels]
    history: dict[str, str] = {"1.0": "The first version."}
    methods: dict[str, interface.Method] = {}

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.methods = interface.methods_of(cls)
        cls.version = list(cls.history)[-1]

    version = "1.0"

    def __init__(self, conf, running: upgrade.Running | None = None):
        """:param running: reads the versions of the running servers, if known: see ``common.upgrade``"""
        self._client = messaging.get_rpc_client(transport(conf), messaging.Target(topic=self.topic), serializer=Serializer())
        self._answers = conf.pileus_answers
        self._errors = {kind: metrics.RPC_ERRORS.labels(self.topic, kind) for kind in ERRORS}
        self._level = upgrade.Level(conf, self.level, parse_version(self.version), running)

    def send(self, method: interface.Method, ctx, arguments: dict):
        """Call or cast in a version that the servers understand; returns the result of a call.

        :raises ServiceUnavailable: no answer in time, or the broker is down
        :raises ServiceTooOld: the server's release does not have the method
        :raises InvalidMessage: the arguments or the result do not match the declaration
        :raises errors.Error: an error that the method declares
        """
        while True:
            level = self._level.version()
            if method.older and method.since > level:
                method = self.methods[method.older]
            version = min(method.version, level)
            try:
                return self._send(method, ctx, arguments, version)
            except errors.ServiceTooOld:
                if method.since >= version or not self._level.refused(version):
                    raise

    def _send(self, method: interface.Method, ctx, arguments: dict, version: Version):
        to = arguments[method.to] if method.to else None
        interface.check_known(method, version, self._part(to))
        metrics.RPC.labels(self.topic, method.name, method.kind).inc()
        units.mark_visible()
        message = method.message(arguments, version)
        prepared = self._client.prepare(
            server=to, fanout=method.fanout and to is None or None, retry=1, version=format_version(version),
            transport_options=None if method.fanout and to is None else _DELIVERED)
        timeout_s = method.timeout(arguments)
        if timeout_s is None:
            return self._cast(prepared, ctx, method, message)
        return method.result(self._call(prepared.prepare(timeout=timeout_s), ctx, method, message, timeout_s, to))

    def _part(self, to: str | None) -> str:
        return f"{self.topic}{' on ' + to if to else ''}"

    def _call(self, prepared, ctx, method: interface.Method, message: dict, timeout_s: float, to: str | None):
        if not self._answers.wait(timeout_s):
            self._errors["away"].inc()
            raise errors.ServiceUnavailable(part="the message bus", internal=f"{method.name}: no queue for its answer")
        try:
            return prepared.call(ctx, method.name, **message)
        except (messaging.MessagingTimeout, messaging.MessageUndeliverable, *_AWAY) as error:
            kind = _kind(error)
            self._errors[kind].inc()
            raise errors.ServiceUnavailable(part="the message bus" if kind == "away" else self._part(to),
                                            internal=f"{method.name}: {error}") from error
        except (messaging.RemoteError, messaging.UnsupportedVersion, messaging.NoSuchMethod) as error:
            if getattr(error, "exc_type", type(error).__name__) in ("UnsupportedVersion", "NoSuchMethod"):
                raise errors.ServiceTooOld(part=self._part(to), internal=f"{method.name}: {error}") from error
            raise

    def _cast(self, prepared, ctx, method: interface.Method, message: dict) -> None:
        try:
            prepared.cast(ctx, method.name, **message)
        except messaging.MessageUndeliverable as error:
            self._errors["undeliverable"].inc()
            raise errors.ServiceUnavailable(part=self.topic, internal=f"{method.name}: nobody listens") from error
        except _AWAY as error:
            self._errors["away"].inc()
            raise errors.ServiceUnavailable(part="the message bus", internal=f"{method.name}: {error}") from error


def _kind(error: Exception) -> str:
    return ("undeliverable" if isinstance(error, messaging.MessageUndeliverable) else
            "timeout" if isinstance(error, messaging.MessagingTimeout) else "away")


def _only(methods) -> type[messaging.RPCAccessPolicyBase]:
    """An oslo.messaging access policy that allows only these methods."""
    class Declared(messaging.RPCAccessPolicyBase):
        def is_allowed(self, endpoint, method):
            return method in methods
    return Declared


class Dispatcher(messaging.RPCDispatcher):
    """Runs a declared method under the caller's request id, with validated arguments; only declared results and errors are sent
    back.

    ``translate`` converts an exception of the service's database to a declared error, or returns None.
    """

    def __init__(self, endpoint, interface: type[Client], translate):
        super().__init__([endpoint], Serializer(), _only(interface.methods))
        self.methods, self.translate = interface.methods, translate
        self._failed = metrics.RPC_ERRORS.labels(interface.topic, "failed")

    def _do_dispatch(self, endpoint, method, ctxt, args):
        try:
            ctx = self.serializer.deserialize_context(ctxt)
            context.activate(ctx)
            arguments = self.methods[method].read(args)
            return self.methods[method].answer(units.run(getattr(endpoint, method), ctx, **arguments))
        except errors.InvalidMessage as error:
            self._failed.inc()
            LOG.error("%s: refused, %s", method, error.internal)
            raise messaging.ExpectedException() from error
        except errors.Error as error:
            raise messaging.ExpectedException() from error
        except Exception as error:
            declared = self.translate(error) if self.translate else None
            if declared is None:
                self._failed.inc()
                raise
            LOG.warning("%s: %s", method, declared.internal)
            _expected(declared)
        finally:
            context.activate(None)


def _expected(error: errors.Error) -> NoReturn:
    """Send an error to the caller; oslo.messaging reads it from the exception being handled."""
    try:
        raise error
    except errors.Error:
        raise messaging.ExpectedException() from error


class _Server(RPCServer):
    """Counts messages waiting for a thread of this process, which the broker no longer counts."""

    def __init__(self, transport, target, dispatcher):
        super().__init__(transport, target, dispatcher, executor="threading")
        self._waiting = metrics.RPC_WAITING.labels(target.topic)
        self._waiting.set(0)  # reset the gauge of a former process

    def _on_incoming(self, incoming):
        self._waiting.inc()
        super()._on_incoming(incoming)

    def _process_incoming(self, incoming):
        self._waiting.dec()
        super()._process_incoming(incoming)


def server(conf, interface: type[Client], host: str, endpoint, *, threads: int = 16, translate=None):
    """An RPC server, not started. ``endpoint`` has the methods that the interface declares."""
    endpoint.target = messaging.Target(version=interface.version)
    dispatcher = Dispatcher(endpoint, interface, translate)
    made = _Server(transport(conf), messaging.Target(topic=interface.topic, server=host), dispatcher)
    conf.set_override("executor_thread_pool_size", threads)
    return made
