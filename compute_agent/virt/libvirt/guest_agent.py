"""What a guest's own agent is asked for. A guest may answer as it likes, late, or never.

libvirt waits for an agent without a limit, and passes on only five calls of a client at once. So each answer has a limit here,
and guests that do not answer can take only some of those calls.
"""

import logging
import threading
import typing
from collections.abc import Callable

import libvirt

from common import guest_hardware
from compute_agent.virt.libvirt.host import guarded

LOG = logging.getLogger(__name__)
# The guest has no channel to an agent, or nobody answers there.
_NO_AGENT = (libvirt.VIR_ERR_AGENT_UNRESPONSIVE, libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED)
ANSWER_S = 10  # to set a password, or to thaw file systems
FREEZE_S = 60  # to write what is not on a disk yet, before
AT_ONCE = 3  # guests that are waited for, and one more that is thawed
TURN_S = 30.0  # for this long a guest waits until it is one of them


class GuestAgent:
    """Part of ``LibvirtDriver``."""

    _domain: Callable
    _failure: Callable
    _is: Callable
    _hardware_of: Callable[[str], guest_hardware.Hardware]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._turns, self._thaws = threading.BoundedSemaphore(AT_ONCE), threading.BoundedSemaphore(1)

    def _ask(self, domain, answer_s: int, work: Callable, *args) -> typing.Any:
        """:raises libvirtError: the agent refuses, or does not answer in time"""
        if not self._turns.acquire(timeout=TURN_S):
            raise libvirt.libvirtError("too many other guests are waited for")
        try:
            return self._answer(domain, answer_s, work, *args)
        finally:
            self._turns.release()

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
            with self._thaws:  # however long it is until its turn: who is frozen must not stay so
                self._answer(domain, ANSWER_S, domain.fsThaw)
        except libvirt.libvirtError as error:
            LOG.debug("instance %s: its file systems are not thawed: %s", uuid, error)

    def shut_down(self, domain) -> None:
        """Ask a guest to shut down: its agent, for whom libvirt waits a minute, else by ACPI."""
        if not self._turns.acquire(blocking=False):
            guarded(domain.shutdownFlags, libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
            return
        try:
            guarded(domain.shutdown)
        finally:
            self._turns.release()
