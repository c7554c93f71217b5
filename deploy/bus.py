"""Depth of the message queues, and number of their consumers.

RabbitMQ reports both in response to one small AMQP request per queue, which needs no administrator rights. Messages
that a daemon has received but not begun are no longer in a queue: they are counted by ``metrics.RPC_WAITING``.
"""

import contextlib
import dataclasses
import typing

import amqp
import amqp.exceptions
import oslo_messaging as messaging

from common import rpc
from compute_agent.rpcapi import AgentAPI as ComputeAgents
from conductor.rpcapi import ConductorAPI
from deploy.overview import COMPUTE_AGENT, NETWORK_AGENT, VOLUME_AGENT, Agent
from network.rpcapi import NetworkAgentAPI, NetworkAPI
from scheduler.rpcapi import SchedulerAPI
from volume.rpcapi import AgentAPI as VolumeAgents
from volume.rpcapi import SchedulerAPI as VolumeSchedulerAPI

ANSWER_S = 3
# The shared queues of a cloud's services, and the queues of each host.
SHARED = (ConductorAPI.topic, SchedulerAPI.topic, NetworkAPI.topic, VolumeSchedulerAPI.topic)
INTERFACES: dict[str, type[rpc.Client]] = {
    COMPUTE_AGENT: ComputeAgents, NETWORK_AGENT: NetworkAgentAPI, VOLUME_AGENT: VolumeAgents}
OF_HOSTS = {binary: interface.topic for binary, interface in INTERFACES.items()}
# Exists only if notifications are enabled.
OPTIONAL = ("notifications.info", "notifications.error")
_FAULTS = (amqp.exceptions.AMQPError, OSError)


class Away(Exception):
    """The broker does not respond; the text says why."""


@dataclasses.dataclass(frozen=True)
class Queue:
    """``host`` is empty for one that is shared. A queue that is not there has no messages and no consumers."""
    topic: str
    host: str
    messages: int
    consumers: int

    @property
    def name(self) -> str:
        return f"{self.topic}.{self.host}" if self.host else self.topic

    @property
    def abandoned(self) -> bool:
        """Whether what is in it waits for nobody."""
        return self.messages > 0 and not self.consumers


def expected(agents: typing.Iterable[Agent]) -> list[tuple[str, str]]:
    """[(topic, host)] of the queues of a cloud with these agents."""
    return [*((topic, "") for topic in SHARED), *sorted({(OF_HOSTS[a.binary], a.host) for a in agents if a.binary in OF_HOSTS})]


class Broker:
    """A connection to RabbitMQ, kept from one ``look`` to the next."""

    def __init__(self, conf):
        self._url = messaging.TransportURL.parse(conf)
        self._connection: amqp.Connection | None = None

    def look(self, names: list[tuple[str, str]]) -> list[Queue]:
        """:raises Away: the broker does not answer in time"""
        if not self._url.hosts:
            raise Away("transport_url, the address of the broker, is missing under [DEFAULT] in etc/pileus.conf")
        try:
            connection = self._connection = self._connection or self._open()
            found = [_queue(connection, topic, host) for topic, host in names]
            optional = [_queue(connection, topic, "") for topic in OPTIONAL]
        except _FAULTS as error:
            self.close()
            raise Away(f"the broker at {self._at()} {_fault(error)}") from error
        return found + [queue for queue in optional if queue.messages or queue.consumers]

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(*_FAULTS):
                self._connection.close()
            self._connection = None

    def _at(self) -> str:
        return ", ".join(f"{host.hostname}:{host.port}" for host in self._url.hosts)

    def _open(self) -> amqp.Connection:
        """To the first broker that answers."""
        fault: Exception = OSError("there is none")
        for host in self._url.hosts:
            name = f"[{host.hostname}]" if ":" in host.hostname else host.hostname
            made = amqp.Connection(
                f"{name}:{host.port}", host.username, host.password, virtual_host=self._url.virtual_host or "/",
                connect_timeout=ANSWER_S, read_timeout=ANSWER_S, write_timeout=ANSWER_S,
                client_properties={"connection_name": "pileus queues"})
            try:
                made.connect()
                return made
            except _FAULTS as refused:
                fault = refused
        raise fault


def _fault(error: Exception) -> str:
    """What a broker does, and what to do."""
    if isinstance(error, amqp.exceptions.AccessRefused):
        return "refuses the user name or the password in transport_url (etc/pileus.conf)"
    if isinstance(error, ConnectionRefusedError):
        return "is not running; deploy/up starts it"
    return f"does not respond ({error})"


def _queue(connection: amqp.Connection, topic: str, host: str) -> Queue:
    queue = Queue(topic, host, 0, 0)
    channel = connection.channel(1)  # the one that is there, or a new one
    try:
        told = channel.queue_declare(queue.name, passive=True)  # passive: asks, makes nothing
    except amqp.exceptions.NotFound:  # with this the channel is closed
        return queue
    return dataclasses.replace(queue, messages=told.message_count, consumers=told.consumer_count)


class InProcess:
    """The bus of a cloud that is one process. Whoever has a queue there and is this host's takes from it."""

    def __init__(self, conf):
        self._conf = conf

    def look(self, names: list[tuple[str, str]]) -> list[Queue]:
        exchange = rpc.transport(self._conf)._driver._exchange_manager.get_exchange(None)
        with exchange._queues_lock:
            shared = {topic: len(queue) for (topic, _), queue in exchange._topic_queues.items()}
            of_hosts = {key: len(queue) for key, queue in exchange._server_queues.items()}
        return [Queue(topic, host, (of_hosts.get((topic, host), 0) if host else shared.get(topic, 0)),
                      int(host in ("", self._conf.host))) for topic, host in names]

    def close(self) -> None:
        pass


def of(conf) -> Broker | InProcess:
    """The bus that a configuration names; no connection is made yet."""
    return InProcess(conf) if messaging.TransportURL.parse(conf).transport == "fake" else Broker(conf)
