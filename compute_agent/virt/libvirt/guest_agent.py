"""What a guest's own agent is asked for. A guest may answer as it likes, late, or never.

libvirt waits for an agent without a limit, and passes on only five calls of a client at once. So each answer has a limit here,
guests that do not answer can take only some of those calls, and those of one project not all of these.
"""

import contextlib
import logging
import threading
import typing
from collections.abc import Callable

import libvirt

from common import context, guest_hardware
from common.shares import Shares
from compute_agent.virt.libvirt.host import guarded

LOG = logging.getLogger(__name__)
# The guest has no channel to an agent, or nobody answers there.
_NO_AGENT = (libvirt.VIR_ERR_AGENT_UNRESPONSIVE, libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED)
ANSWER_S = 10  # to set a password, or to thaw file systems
FREEZE_S = 60  # to write what is not on a disk yet, before
# Guests that are waited for, and how many of these are for projects with no other; and one more that is thawed.
AT_ONCE, KEPT = 3, 1
TURN_S = 30.0  # for this long a guest waits until it is one of them


class Turns:
    """Calls of libvirt that wait for a guest, shared by the projects of those who request them."""

    def __init__(self) -> None:
        self.asks, self.thaws = Shares(AT_ONCE, KEPT), Shares(1)
        self._free = threading.Condition()

    @contextlib.contextmanager
    def one_of(self, *pools: Shares, timeout_s: float | None = None):
        """:raises libvirtError: there was none in time"""
        ctx = context.active()
        project = ctx.project_id if ctx else None
        with self._free:
            pool = self._free.wait_for(lambda: next((p for p in pools if p.take(project)), None), timeout_s)
        if pool is None:
            raise libvirt.libvirtError("too many other guests are waited for")
        try:
            yield
        finally:
            with self._free:
                pool.give_back(project)
                self._free.notify_all()


class GuestAgent:
    """Part of ``LibvirtDriver``."""

    _domain: Callable
    _failure: Callable
    _is: Callable
    _hardware_of: Callable[[str], guest_hardware.Hardware]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._turns = Turns()

    def _ask(self, domain, answer_s: int, work: Callable, *args) -> typing.Any:
        """:raises libvirtError: the agent refuses, or does not answer in time"""
        with self._turns.one_of(self._turns.asks, timeout_s=TURN_S):
            return self._answer(domain, answer_s, work, *args)

    @staticmethod
    def _answer(domain, answer_s: int, work: Callable, *args) -> typing.Any:
        guarded(domain.agentSetResponseTimeout, answer_s, 0)
        return guarded(work, *args)

    def set_password(self, uuid, user, password):
        domain = self._domain(uuid)
        try:
            if not self._is(domain, libvirt.VIR_DOMAIN_RUNNING):
                return "not running"
            self._ask(domain, ANSWER_S, domain.setUserPassword, user, password)
        except libvirt.libvirtError as error:
            LOG.warning("the password of user %s in instance %s could not be set: %s", user, uuid, error)
            return "no agent" if error.get_error_code() in _NO_AGENT else "refused"
        return "set"

    def quiesce(self, uuid):
        hardware, domain = self._hardware_of(uuid), self._domain(uuid)
        if not (hardware.guest_agent or hardware.require_quiesce):
            return
        self.unquiesce(uuid)  # frozen ones cannot be frozen again
        try:
            self._ask(domain, FREEZE_S, domain.fsFreeze)
        except libvirt.libvirtError as error:
            if hardware.require_quiesce:
                raise self._failure("The guest's file systems could not be frozen", error) from error
            LOG.info("instance %s: its file systems are not frozen: %s", uuid, error)

    def unquiesce(self, uuid):
        if not self._hardware_of(uuid).guest_agent:
            return
        domain = self._domain(uuid)
        try:
            # However long it is until its turn: who is frozen must not stay so.
            with self._turns.one_of(self._turns.asks, self._turns.thaws):
                self._answer(domain, ANSWER_S, domain.fsThaw)
        except libvirt.libvirtError as error:
            LOG.debug("instance %s: its file systems are not thawed: %s", uuid, error)

    def shut_down(self, domain) -> None:
        """Ask a guest to shut down: its agent, for whom libvirt waits a minute, else by ACPI."""
        with contextlib.ExitStack() as turn:
            try:
                turn.enter_context(self._turns.one_of(self._turns.asks, timeout_s=0))
            except libvirt.libvirtError:
                guarded(domain.shutdownFlags, libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
                return
            guarded(domain.shutdown)
