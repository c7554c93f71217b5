"""What all drivers have in common whose guests are domains of libvirt."""

import logging
import pathlib
import time
import xml.etree.ElementTree as ET

import libvirt

from common import errors, files, server_states
from compute_agent.virt import base, directories
from compute_agent.virt.libvirt import pinning, xml
from compute_agent.virt.libvirt.host import Connection, WatchedConnection, guarded, resources

LOG = logging.getLogger(__name__)
_POWER = {libvirt.VIR_DOMAIN_RUNNING: server_states.RUNNING, libvirt.VIR_DOMAIN_BLOCKED: server_states.RUNNING,
          libvirt.VIR_DOMAIN_PAUSED: server_states.PAUSED, libvirt.VIR_DOMAIN_SHUTDOWN: server_states.SHUTDOWN,
          libvirt.VIR_DOMAIN_SHUTOFF: server_states.SHUTDOWN, libvirt.VIR_DOMAIN_CRASHED: server_states.CRASHED}
# Reasons of a shut off domain that libvirtd did not see ending, or that left for a host that lost it.
_UNSEEN = (libvirt.VIR_DOMAIN_SHUTOFF_UNKNOWN, libvirt.VIR_DOMAIN_SHUTOFF_CRASHED, libvirt.VIR_DOMAIN_SHUTOFF_DAEMON,
           libvirt.VIR_DOMAIN_SHUTOFF_FAILED, libvirt.VIR_DOMAIN_SHUTOFF_MIGRATED)
CONSOLE_BYTES = 100 * 1024


class Guests(base.VirtDriver):
    """A driver whose guests are domains. Subclasses define them."""

    virt_type: str
    undefine_flags = 0
    ask_again_s = 5.0  # to shut down: a booting guest ignores the first requests

    def __init__(self, conf, uri: str):
        """:param uri: of the libvirt driver, unless an option names another"""
        super().__init__(conf)
        self.path = files.traversable_directory(conf.agent.instances_path or f"{conf.state_path}/instances", conf.state_path)
        self.watched = WatchedConnection(conf.libvirt.uri or uri)
        self.connection = Connection(conf.libvirt.uri or uri, self.watched)
        self._told: dict = {}  # what libvirt told of the host when it last answered
        self._problem = ""  # why it could not tell it, if that was logged

    def _able(self) -> dict:
        """The host's facts that libvirt tells. :raises libvirtError, ServiceUnavailable:"""
        raise AssertionError

    def host_resources(self):
        try:
            self._told = {"hypervisor_version": self.watched.call("getVersion"), **self._able()}
            facts, self._problem = self._told, ""
        except (libvirt.libvirtError, errors.ServiceUnavailable) as error:  # the host is up all the same, and its guests may run
            problem = str(getattr(error, "internal", None) or error)
            if problem != self._problem:
                self._problem = problem
                LOG.error("libvirt cannot say what the host can do, so no server is placed on it: %s", problem)
            lost = isinstance(error, errors.ServiceUnavailable)
            facts = {**self._told, "unusable": True, "problem": (
                f"Connection to libvirt lost: {problem}" if lost else f"Failed to query libvirt: {problem}")}
        found = resources(self.conf, self.virt_type, self.path)
        found["facts"].update(facts, unsupported=sorted(self.unsupported))
        return found

    @staticmethod
    def _failure(text: str, error: Exception) -> errors.StepFailed:
        """The reason for the user, and libvirt's message for the log, because it may contain paths of the host."""
        LOG.warning("%s: %s", text, error)
        return errors.StepFailed(reason=f"{text} by the hypervisor.", internal=str(error))

    def _domain(self, uuid: str):
        domain = self.connection.domain(uuid)
        if domain is None:
            raise errors.StepFailed(reason=f"The guest of instance {uuid} is missing on its host.")
        return domain

    def _is(self, domain, state: int) -> bool:
        return guarded(domain.state)[0] == state

    def _check_off(self, uuid: str) -> None:
        """:raises StepFailed: the guest runs"""
        domain = self.connection.domain(uuid)
        if domain is not None and guarded(domain.isActive):
            raise errors.StepFailed(reason="The guest runs.")

    def _define(self, description: str, *, running: bool) -> None:
        """Define a guest, and start it if ``running``."""
        try:
            domain = self.connection.call("defineXML", description)
            if running and not guarded(domain.isActive):
                self._power_up(domain, guarded(domain.UUIDString))
        except libvirt.libvirtError as error:
            raise self._failure("The guest could not be started", error) from error

    def _power_up(self, domain, uuid: str) -> None:
        guarded(domain.create)

    def _stop(self, domain) -> None:
        """Stop a guest immediately."""
        guarded(domain.destroy)

    def _undefine(self, uuid: str) -> None:
        """Stop a guest immediately, and remove its definition."""
        domain = self.connection.domain(uuid)
        if domain is None:
            return
        try:
            if guarded(domain.isActive):
                self._stop(domain)
            guarded(domain.undefineFlags, self.undefine_flags)
        except libvirt.libvirtError as error:
            if error.get_error_code() not in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
                raise self._failure("The guest could not be removed", error) from error
            if self.connection.domain(uuid) is not None:
                self._undefine(uuid)  # it stopped between the two calls

    def power_on(self, uuid):
        domain = self._domain(uuid)
        try:
            if not guarded(domain.isActive):
                self._power_up(domain, uuid)
        except libvirt.libvirtError as error:
            raise self._failure("The guest could not be started", error) from error

    def pause(self, uuid):
        domain = self._domain(uuid)
        try:
            if not self._is(domain, libvirt.VIR_DOMAIN_PAUSED):
                guarded(domain.suspend)
        except libvirt.libvirtError as error:
            raise self._failure("The guest could not be paused", error) from error

    def unpause(self, uuid):
        domain = self._domain(uuid)
        try:
            if self._is(domain, libvirt.VIR_DOMAIN_PAUSED):
                guarded(domain.resume)
        except libvirt.libvirtError as error:
            raise self._failure("The guest could not be continued", error) from error

    def shut_down(self, domain) -> None:
        """Ask a guest to shut down."""
        raise AssertionError("must be overridden")

    def power_off(self, uuid, *, timeout_s, is_cancelled=lambda: False):
        domain = self._domain(uuid)
        try:
            if not guarded(domain.isActive):
                return
            deadline, asked_at = time.monotonic() + timeout_s, 0.0
            while guarded(domain.isActive):
                if is_cancelled() or time.monotonic() > deadline:
                    self._stop(domain)
                    return
                if time.monotonic() - asked_at > self.ask_again_s:
                    asked_at = time.monotonic()
                    self.shut_down(domain)
                time.sleep(0.25)
        except libvirt.libvirtError as error:
            if guarded(domain.isActive):
                raise self._failure("The guest could not be stopped", error) from error

    def reboot(self, uuid, *, timeout_s, is_cancelled=lambda: False):
        self.power_off(uuid, timeout_s=timeout_s, is_cancelled=is_cancelled)
        self.power_on(uuid)

    # Devices ----------------------------------------------------------------

    @staticmethod
    def _flags(domain) -> int:
        live = libvirt.VIR_DOMAIN_AFFECT_LIVE if guarded(domain.isActive) else 0
        return libvirt.VIR_DOMAIN_AFFECT_CONFIG | live

    def _detach(self, domain, find, what: str) -> None:
        """Request a detach until the guest releases the device: a booting guest ignores the first requests."""
        inactive = find(guarded(domain.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE))
        if inactive:
            guarded(domain.detachDeviceFlags, inactive, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
        deadline, asked_at = time.monotonic() + 60, 0.0
        while guarded(domain.isActive):
            live = find(guarded(domain.XMLDesc, 0))
            if live is None:
                return
            if time.monotonic() > deadline:
                raise errors.StepFailed(reason=f"The guest does not release the {what}.")
            if time.monotonic() - asked_at > 5:
                asked_at = time.monotonic()
                try:
                    guarded(domain.detachDeviceFlags, live, libvirt.VIR_DOMAIN_AFFECT_LIVE)
                except libvirt.libvirtError as error:
                    LOG.info("the guest has already been asked for the %s: %s", what, error)
            time.sleep(0.1)

    @staticmethod
    def _interface_of(description: str, mac: str) -> str | None:
        for found in ET.fromstring(description).iterfind("./devices/interface"):
            address = found.find("mac")
            if address is not None and address.get("address") == mac:
                return ET.tostring(found, encoding="unicode")
        return None

    def _interface_xml(self, uuid: str, port: dict) -> str:
        """The element of an interface that is attached to a guest."""
        raise AssertionError("must be overridden")

    def attach_interface(self, uuid, port):
        domain = self._domain(uuid)
        if self._interface_of(guarded(domain.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE), port["mac_address"]):
            return
        try:
            guarded(domain.attachDeviceFlags, self._interface_xml(uuid, port), self._flags(domain))
        except libvirt.libvirtError as error:
            raise self._failure("The interface could not be attached", error) from error

    def detach_interface(self, uuid, port):
        domain = self.connection.domain(uuid)
        if domain is not None:
            self._detach(domain, lambda text: self._interface_of(text, port["mac_address"]), "interface")

    # What there is ----------------------------------------------------------

    def power_states(self):
        found = {}
        for domain in self.watched.call("listAllDomains", 0):
            try:
                name = guarded(domain.name)
                if name.startswith("instance-"):
                    found[guarded(domain.UUIDString)] = _POWER.get(guarded(domain.state)[0], server_states.NOSTATE)
            except libvirt.libvirtError as error:
                LOG.debug("a domain went away while it was looked at: %s", error)
        return found

    def generation(self):
        return self.watched.generation()

    def lost_guests(self, uuids):
        """libvirtd knows why a domain is off if it saw it end; otherwise the domain ended with a former libvirtd or the host."""
        found = set()
        for uuid in uuids:
            domain = self.connection.domain(uuid)
            state, why = guarded(domain.state) if domain is not None else (libvirt.VIR_DOMAIN_SHUTOFF, _UNSEEN[0])
            if state == libvirt.VIR_DOMAIN_CRASHED or state == libvirt.VIR_DOMAIN_SHUTOFF and why in _UNSEEN:
                found.add(uuid)
        return found

    def owners(self):
        found = {}
        for domain in self.connection.call("listAllDomains", 0):
            try:
                if not guarded(domain.name).startswith("instance-"):
                    continue
                uuid = guarded(domain.UUIDString)
                found[uuid] = ("", "")
                found[uuid] = xml.owner_of(guarded(domain.metadata, libvirt.VIR_DOMAIN_METADATA_ELEMENT, xml.METADATA_URI))
            except libvirt.libvirtError as error:
                if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                    found.pop(uuid, None)
                LOG.debug("a domain without our metadata, or one that went away: %s", error)
        return found

    def placement(self, uuid):
        try:
            return pinning.placement(guarded(self._domain(uuid).XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE))
        except errors.StepFailed:
            return None
        except libvirt.libvirtError as error:
            raise self._failure("The guest's definition could not be read", error) from error

    def directories(self):
        return directories.known(self.path)

    def _console_log(self, uuid: str) -> pathlib.Path:
        return self.path / uuid / "console.log"

    def console_output(self, uuid):
        log = self._console_log(uuid)
        try:
            with open(log, "rb") as handle:
                handle.seek(max(0, log.stat().st_size - CONSOLE_BYTES))
                return handle.read()
        except FileNotFoundError:
            return b""
