"""Give a guest that runs another network interface, or take one away."""

import logging

from common import context, errors, server_resources
from compute_agent.tasks.reporting import ReportingTask
from conductor.messages import Port, RequestedNetwork

LOG = logging.getLogger(__name__)


class _InterfaceTask(ReportingTask):
    def started(self, step, state):
        """One event, whatever the number of steps: the API shows it as ``compute_<name>``."""
        if not self.events:
            self.begin(self.name)

    def still_current(self, state):
        return self.current(state) is not None

    def failed(self, step, error, state):
        self.agent.conductor.progress(self.agent.context(), state["uuid"], self.name, self.take_events(error))


class AttachInterface(_InterfaceTask):
    """State: {"uuid", "request"}; "request" is as in the server's requested networks. It ends with "port", as the network
    service shows it. Who asked waits for the answer, so a crash undoes it.
    """

    name, on_crash = "attach_interface", "undo"
    shapes = {"request": RequestedNetwork, "info": Port}
    steps = ("allocate", "plug", "record")

    def record_unreadable(self, uuid):
        """Takes back what the server does not know of."""
        with self.agent.lock(uuid):
            row = self.agent.conductor.get_instance(self.agent.context(), uuid)
            if row is not None and row["task_state"]:
                return False
            self._release_unknown(row)
            return True

    def discard(self, state):
        """The server has left this host. What moved with it are the ports that it knows of."""
        self._release_unknown(self.agent.conductor.get_instance(self.agent.context(), state["uuid"]))

    def _release_unknown(self, row: dict | None) -> None:
        """Release ports that are bound to a server and not known to be its own, unless another host plugs one: it may just be
        attaching it. Those of a server that is gone went with it.
        """
        if row is None:
            return
        own = server_resources.preexisting_ports(row)
        known = {p["id"] for p in row["network_info"]} | own
        for port in server_resources.ports_of(self.agent.rest, row["uuid"]):
            if port["id"] not in known and port["binding:host_id"] in (self.agent.conf.host, ""):
                if row["host"] == self.agent.conf.host:
                    self.agent.driver.detach_interface(row["uuid"], port)
                server_resources.release_port(self.agent.rest, port["id"], as_read=port,
                                              keep=server_resources.is_preexisting(port, own))

    def _own(self, state) -> dict | None:
        """What was requested where it is a port that its owner made."""
        return state["request"] if state["request"].get("port") else None

    def allocate(self, state):
        request, row = state["request"], self.current(state)
        if row is None:
            raise errors.Superseded()
        if state.get("tried"):  # the answer that did not come may have been about a port that is there now
            self.undo_allocate(state)
        state["tried"] = True
        port = self.agent.ports.attach({**row, "security_groups": []}, request)
        return {"port": port, "info": {**self.agent.ports.network_info([port], [request])[0], "attach_id": context.new_uuid()}}

    def undo_allocate(self, state):
        """Which port it was may not have been recorded: it is the one that is bound to the server, but not the server's."""
        row, request = self.current(state), state["request"]
        if row is None:
            return  # its ports go with it
        known = {p["id"] for p in row["network_info"]} | server_resources.preexisting_ports(row)
        requested = {request["port"]} if self._own(state) else set()
        for port in server_resources.ports_of(self.agent.rest, row["uuid"]):
            wanted = port["id"] == request["port"] if self._own(state) else port["network_id"] == request["uuid"]
            if wanted and port["id"] not in known:
                server_resources.release_port(self.agent.rest, port["id"], as_read=port,
                                              keep=server_resources.is_preexisting(port, requested))

    def plug(self, state):
        self.agent.driver.attach_interface(state["uuid"], state["info"])

    def undo_plug(self, state):
        if state["uuid"] in self.agent.driver.power_states():
            self.agent.driver.detach_interface(state["uuid"], state["info"])

    def record(self, state):
        if not self.agent.conductor.interface_attached(self.agent.context(), state["uuid"], state["info"], self._own(state),
                                                       self.take_events(), host=self.agent.conf.host):
            raise errors.Superseded()

    def undo_record(self, state):
        self.agent.conductor.interface_detached(self.agent.context(), state["uuid"], state["info"]["id"], [],
                                                state["info"].get("attach_id", ""), host=self.agent.conf.host)


class DetachInterface(_InterfaceTask):
    """State: {"uuid", "port", "keep"}: the port as in network_info, and whether its owner made it.

    A crash restarts it: after a power cut the guest is recreated with the port, which its server still has.
    """

    name, on_crash = "detach_interface", "restart"
    shapes = {"port": Port}
    steps = ("unplug", "release", "record")

    def still_current(self, state):
        """Not where the port was attached again, since this was interrupted."""
        row, port = self.current(state), state["port"]
        return row is not None and not any(
            p["id"] == port["id"] and p.get("attach_id") != port.get("attach_id") for p in row["network_info"])

    def unplug(self, state):
        self.agent.driver.detach_interface(state["uuid"], state["port"])

    def release(self, state):
        """Only while the server has it, here: meanwhile its owner may have given it to another, or another host may have it."""
        own = {state["port"]["id"]} if state["keep"] else set()
        found = [p for p in server_resources.ports_of(self.agent.rest, state["uuid"]) if p["id"] == state["port"]["id"]]
        if found and not self.still_current(state):
            raise errors.Superseded()
        for port in found:
            try:
                server_resources.release_port(self.agent.rest, port["id"], keep=server_resources.is_preexisting(port, own),
                                              as_read=port)
            except errors.PreconditionFailed as error:
                raise errors.ServiceUnavailable(part="the network service: a port changes") from error

    def record(self, state):
        self.agent.conductor.interface_detached(self.agent.context(), state["uuid"], state["port"]["id"], self.take_events(),
                                                state["port"].get("attach_id", ""), host=self.agent.conf.host,
                                                group_ids=self._group_ids(state))

    def _group_ids(self, state) -> list[str] | None:
        """Of the server's other ports. They are only shown, so nothing waits for a network service that does not answer."""
        try:
            found = server_resources.ports_of(self.agent.rest, state["uuid"])
        except errors.Error as error:
            LOG.warning("the security groups of instance %s are not known: %s", state["uuid"], error)
            return None
        return sorted({group for port in found for group in port["security_groups"]})
