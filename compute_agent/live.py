"""The steps of a live migration on its two hosts (``conductor.operations.live``).

The guest arrives on the target with its CPUs stopped. They run when the source has said that the guest is no longer there: it
asks the target (``arrived``), or the conductor does (``arrive``), which has recorded it. So a connection that breaks at the worst
moment leaves the guest on one host.
"""

import contextlib
import logging
import threading
import time
import typing

from common import errors
from common.server_states import ACTIVE, NOSTATE, PAUSED, RUNNING
from compute_agent.last_step import LastStep
from compute_agent.tunnel import Incoming, Tunnel

LOG = logging.getLogger(__name__)
ABORT, FORCE = "abort", "force"
GIB = 1 << 30
MIN_TIMED_GIB = 2  # a smaller guest has as long as one of this size
# How long an answer is waited for before the question is repeated, while the guest stands still: that of the target, which may
# wait for the conductor, and that of the conductor.
TARGET_ANSWERS_S, CONDUCTOR_ANSWERS_S = (3.0, 12.0, 15.0), (2.0, 4.0, 9.0)
SAY_S = 0.5  # how often the conductor is told of the progress, and asked what is wanted


class Incomings:
    """The migrations that this host expects, by server."""

    def __init__(self, address: str):
        self.address = address
        self._guard, self._ports = threading.Lock(), dict[str, Incoming]()

    def open(self, uuid: str, channels) -> dict:
        """The offer of a new port, in place of the former one."""
        made = Incoming(self.address, channels)
        with self._guard:
            former, self._ports[uuid] = self._ports.get(uuid), made
        if former:
            former.close()
        return made.described

    def close(self, uuid: str) -> None:
        with self._guard:
            former = self._ports.pop(uuid, None)
        if former:
            former.close()


def _work(agent, ctx, uuid: str, operation_id: str, number: int, step: str) -> dict:
    """What a source asks of this host, its target, is asked for.

    :raises StepFailed: no operation is at that step here
    """
    work = agent.conductor.begin_operation_step(ctx, operation_id, number)
    if work is None or work["uuid"] != uuid or work["step"] != step or work["data"].get("target") != agent.conf.host:
        raise errors.StepFailed(reason=f"Instance {uuid} is not migrated to host {agent.conf.host} now.")
    return work


def open_migration(agent, ctx, uuid: str, operation_id: str, number: int) -> dict:
    """As ``AgentAPI.open_migration``."""
    last = agent.last_steps.get(uuid)
    if last is not None and last.step == "prepare_live" and last.is_before(operation_id, number):
        instance = last.instance
    else:
        instance = _work(agent, ctx, uuid, operation_id, number, "migrate_live")["instance"]
    guest, channels = agent.driver.open_incoming(instance)
    return {"offer": agent.incomings.open(uuid, channels), "guest": guest}


def arrived(agent, ctx, uuid: str, operation_id: str, number: int) -> bool:
    """As ``AgentAPI.guest_arrived``."""
    work = _work(agent, ctx, uuid, operation_id, number, "migrate_live")
    if not is_here(agent, uuid):
        return False
    let_run(agent, work["data"], uuid)
    return True


def moved(agent, ctx, uuid: str, operation_id: str, number: int) -> tuple[bool, dict | None]:
    """As ``AgentAPI.guest_moved``; and the next step, or None if the conductor requests it.

    The conductor records first that the guest is here. Then it may run.
    """
    if not is_here(agent, uuid):
        return False, None
    try:
        work = repeated(lambda timeout_s: agent.conductor.guest_moved(
            ctx, operation_id, number, agent.conf.host, timeout_s), CONDUCTOR_ANSWERS_S)
    except errors.ServiceTooOld:
        data = _work(agent, ctx, uuid, operation_id, number, "migrate_live")["data"]
        let_run(agent, data, uuid)
        agent.conductor.end_operation_step(ctx, operation_id, number, {"host": data["source"], "result": {}})
        return True, None
    if work is None:  # it may have been recorded, and the answer lost
        work = _work(agent, ctx, uuid, operation_id, number + 1, "arrive")
    let_run(agent, work["data"], uuid)
    return True, work


def repeated(question, answers_s: tuple[float, ...]):
    """The answer to a question that may be repeated, because it or its answer may be lost.

    :param question: takes a timeout in seconds
    :param answers_s: the timeout of each attempt
    :raises ServiceUnavailable: no attempt was answered
    """
    for timeout_s in answers_s[:-1]:
        try:
            return question(timeout_s)
        except errors.ServiceTooOld:
            raise
        except errors.ServiceUnavailable as error:
            LOG.info("no answer within %.0f s: %s", timeout_s, error.internal or error)
    return question(answers_s[-1])


def is_here(agent, uuid: str) -> bool:
    """Whether a guest exists here with its memory."""
    return agent.driver.power_states().get(uuid) in (RUNNING, PAUSED)


def let_run(agent, data: dict, uuid: str) -> None:
    if data["vm_state"] == ACTIVE:
        agent.driver.unpause(uuid)


class Watch:
    """Follows a migration: tells the conductor how far it is, and says what is to be done with it.

    :param said: sends the progress, and returns {"current", "requested_action"}
    :param is_cancelled: whether the server is to be deleted
    :param limit_s: after which ``at_limit`` is to be done; 0: never
    """

    def __init__(self, said, is_cancelled, limit_s: float, at_limit: str):
        self._said, self._is_cancelled, self._at_limit = said, is_cancelled, at_limit
        self._until = time.monotonic() + limit_s if limit_s else float("inf")
        self._said_at, self.aborted = time.monotonic(), ""  # the caller has asked whether it may begin
        self._requested: str | None = None

    def __call__(self, progress: dict) -> str | None:
        """ABORT, FORCE or None; called by the driver now and then."""
        if time.monotonic() >= self._said_at + SAY_S:
            self._said_at = time.monotonic()
            with contextlib.suppress(errors.ServiceUnavailable):
                answer = self._said(progress)
                self._requested = answer["requested_action"] if answer["current"] else ABORT
                if self._requested == ABORT:
                    self.aborted = "The live migration was aborted."
        if self._is_cancelled():
            self._requested, self.aborted = ABORT, "The server is being deleted."
        elif self._requested is None and time.monotonic() >= self._until:
            if self._at_limit == ABORT:
                self.aborted = "The live migration did not complete in time."
            return self._at_limit
        return self._requested


class LiveSteps:
    """Steps of ``migration.HostSteps``, which has ``agent``, ``ctx``, ``data`` and ``instance``."""

    agent: typing.Any
    ctx: typing.Any
    operation_id: str
    number: int
    uuid: str
    data: dict
    instance: dict
    check: typing.Callable[[], None]
    check_if_late: typing.Callable[[], None]
    attached_beside: typing.Callable[[], tuple[list, dict]]
    offered: typing.Callable[[], dict]
    fetch: typing.Callable[[dict], dict]
    shared_ports: tuple | None
    is_reported: bool
    last: LastStep | None
    incoming: dict | None
    _ports: list

    def prepare_live(self) -> dict:
        """On the target: what the guest needs to arrive. Left of an earlier attempt is removed first.

        Nothing is changed before the source offers what it has: it asks the conductor whether this step is wanted. The ports are
        shared as they were read before. If the step is requested again after it was done, as the message to the source was lost
        or is slow, it is only reported: the guest may be about to come.
        """
        agent, instance = self.agent, self.instance
        if self.last is not None and self.last.is_at(self.operation_id, self.number) and self.last.result is not None:
            self.shared_ports = self.last.ports
            return self.last.result
        as_read = [agent.ports.existing(instance)]
        offered = self.offered()
        agent.incomings.close(self.uuid)
        agent.driver.destroy(self.uuid)
        cached = self.fetch(offered)
        ports, shown = agent.ports.share(instance, check=self.check, as_read=as_read)
        self.shared_ports = ports, shown
        volumes, attachments = self.attached_beside()
        self.check_if_late()
        agent.driver.prepare_incoming(instance, offered, cached, ports, volumes)
        result = {"attachments": attachments}
        self.is_reported = offered.get("takes_over", False) and self._expect(result)
        return result

    def _expect(self, result: dict) -> bool:
        """Tell the source that its guest is expected; it reports this step. False: it cannot be told."""
        agent = self.agent
        guest, channels = agent.driver.open_incoming(self.instance)
        incoming = {"offer": agent.incomings.open(self.uuid, channels), "guest": guest}
        try:
            agent.peers.guest_expected(self.ctx, self.data["source"], self.uuid, self.operation_id, self.number, result, incoming)
        except errors.ServiceUnavailable as error:
            LOG.info("instance %s: the source was not told that it is expected: %s", self.uuid, error.internal or error)
            return False
        return True

    def migrate_live(self) -> dict:
        """On the source: have the hypervisor migrate the guest. On the target, if the source is down: is the guest there?"""
        agent = self.agent
        if agent.conf.host == self.data["target"]:
            if agent.driver.power_states().get(self.uuid) != RUNNING:
                raise errors.ServiceUnavailable(part=f"host {self.data['source']}, which knows where the guest is")
            return {}
        if is_here(agent, self.uuid):
            self._migrate()
        try:
            here, self.is_reported = repeated(lambda timeout_s: self._target("guest_moved", timeout_s), TARGET_ANSWERS_S), True
        except errors.ServiceTooOld:
            here = self._target("guest_arrived")
        if not here:
            self.is_reported = False
            raise errors.StepFailed(reason="The guest ended while it was migrated.")
        return {}

    def _target(self, method: str, *more):
        return getattr(self.agent.peers, method)(self.ctx, self.data["target"], self.uuid, self.operation_id, self.number, *more)

    def _migrate(self) -> None:
        agent, options = self.agent, self.agent.conf.libvirt
        size_gib = max(MIN_TIMED_GIB, self.instance["memory_mb"] / 1024 + self.instance["flavor"]["disk"])

        def said(progress: dict | None) -> dict:
            return agent.conductor.operation_progress(self.ctx, self.operation_id, self.number, progress)
        if self.incoming is None:  # else the conductor has just been asked
            answer = said(None)
            if not answer["current"]:
                raise errors.Superseded()
            if answer["requested_action"] == ABORT:
                raise errors.StepFailed(reason="The live migration was aborted.")
        watch = Watch(said, lambda: agent.cancelled(self.uuid), size_gib * options.live_migration_completion_timeout,
                      {"abort": ABORT, "force_complete": FORCE}[options.live_migration_timeout_action])
        if not agent.migrating.acquire(blocking=False):
            raise errors.ServiceUnavailable(part=f"host {agent.conf.host}, which migrates other servers")
        try:
            incoming = self._incoming()
            with Tunnel(incoming["offer"]) as tunnel:
                agent.driver.migrate(self.uuid, incoming["guest"], tunnel, watch)
        except errors.StepFailed as error:
            if watch.aborted:
                raise errors.StepFailed(reason=watch.aborted, internal=str(error)) from error
            raise
        finally:
            agent.migrating.release()

    def _incoming(self) -> dict:
        """Where the target expects the guest: as it has told, unless that has ended meanwhile."""
        if self.incoming is not None and Tunnel(self.incoming["offer"]).is_open():
            return self.incoming
        return self._target("open_migration")

    def stay(self) -> dict:
        """On the source, when the guest could not be migrated: it runs here as before."""
        agent = self.agent
        if is_here(agent, self.uuid):
            let_run(agent, self.data, self.uuid)
        else:
            self._restore_if_lost()
        return {}

    def arrive(self) -> dict:
        """On the target, when the guest is here: it runs, and its ports and volumes are this host's."""
        agent = self.agent
        if is_here(agent, self.uuid):
            let_run(agent, self.data, self.uuid)
        else:
            self._restore_if_lost()
        agent.incomings.close(self.uuid)
        agent.forget_ports(self.instance, agent.ports.move(self.instance, check=self.check, as_read=self._ports))
        for device in self.instance["block_devices"]:
            if device["attachment_id"]:
                agent.volumes.complete(device["attachment_id"])
        agent.driver.arrived(self.uuid)
        return {"power_state": agent.driver.power_states().get(self.uuid, NOSTATE)}

    def _restore_if_lost(self) -> None:
        """Start a guest again that ended with its host, as ``GuestResume`` does for servers that are not being migrated."""
        agent, active = self.agent, self.data["vm_state"] == ACTIVE
        if active and agent.conf.resume_guests_state_on_host_boot and agent.driver.lost_guests({self.uuid}):
            agent.restore_guest(self.instance)
