"""Boot a server: ports, volumes, image, guest."""

from common import errors, server_resources
from common.server_states import BUILDING, NETWORKING, RUNNING, SPAWNING
from compute_agent.tasks.reporting import ReportingTask, reason
from conductor.messages import Instance, Outcome, Port


class Boot(ReportingTask):
    """State: {"instance"}, and what the steps add.

    Resumed after a crash of the agent. If the host was silent for so long that another host builds the server by now, the task
    learns it before it changes or removes anything shared, and at the end.
    """

    name, on_crash = "build", "resume"
    shapes = {"instance": Instance, "network_info": list[Port]}
    steps = ("network", "volumes", "image", "spawn", "complete")

    def __init__(self, agent):
        super().__init__(agent)
        self.retry_s = float(agent.conf.agent.build_retry_s)

    def before_retry(self, step, state):
        if self.agent.cancelled(state["instance"]["uuid"]):
            raise errors.Superseded()

    def started(self, step, state):
        self.before_retry(step, state)
        super().started(step, state)

    def attempt_of(self, state):
        return state["instance"].get("attempt")  # journals of the previous release have none

    def still_current(self, state):
        row = self.current(state)
        if row is None or row["vm_state"] != BUILDING or row["task_state"] not in (NETWORKING, SPAWNING):
            return False
        state.update(instance=row, network_tried=True, volumes_tried=True)
        return True

    def check(self, state) -> None:
        """:raises Superseded: the server is in another attempt, or on another host"""
        row = self.current(state)
        if row is None or row["vm_state"] != BUILDING or row["task_state"] not in (NETWORKING, SPAWNING):
            raise errors.Superseded()

    def discard(self, state):
        """The server was deleted or given to another host: remove the guest, its files, and what is bound to this host. What the
        other host has taken over is left alone.
        """
        instance = self.agent.conductor.get_instance(self.agent.context(), state["instance"]["uuid"])
        if instance is None or instance["host"] != self.agent.conf.host:
            self.undo_spawn(state)
            self.undo_image(state)
            self.agent.ports.release(state["instance"], check=None)
            self.agent.volumes.release(state["instance"], check=None)

    def record_unreadable(self, uuid):
        """A server that is still to be built here is built when the request is repeated."""
        with self.agent.lock(uuid):
            row = self.agent.conductor.get_instance(self.agent.context(), uuid)
            if row is not None and row["task_state"]:
                return False
            # Where the network service does not know who created a port, it is unbound and not deleted: the row knew that, but is
            # gone.
            self.discard({"instance": row or {"uuid": uuid, "requested_networks": self._all_ports(uuid), "block_devices": []}})
            return True

    def _all_ports(self, uuid: str) -> list[dict]:
        return [{"port": p["id"]} for p in server_resources.ports_of(self.agent.rest, uuid)]

    def _again(self, state, what: str) -> bool:
        """Whether an earlier attempt, or a host that failed before, may have left something."""
        again = state.get(f"{what}_tried", False) or bool(state["instance"]["tried_hosts"])
        state[f"{what}_tried"] = True
        return again

    def network(self, state):
        again, instance = self._again(state, "network"), state["instance"]
        ports = self.agent.ports.build(instance, instance["requested_networks"], again=again, check=lambda: self.check(state))
        return {"network_info": self.agent.ports.network_info(ports, instance["requested_networks"],
                                                           subnets=instance["config_drive"])}

    def undo_network(self, state):
        self.agent.ports.release(state["instance"], check=lambda: self.check(state))

    def volumes(self, state):
        again, uuid, found = self._again(state, "volumes"), state["instance"]["uuid"], []
        for device in state["instance"]["block_devices"]:
            self.agent.volumes.wait_created(device["volume_id"], is_cancelled=lambda: self.agent.cancelled(uuid))
            attachment_id, info = self.agent.volumes.connect(uuid, device["volume_id"], device["device_name"], again=again,
                                                             check=lambda: self.check(state))
            if self.agent.conductor.attached(self.agent.context(), uuid, device["volume_id"], attachment_id, [],
                                             attempt=self.attempt_of(state)) is False:
                raise errors.Superseded()
            found.append({**{k: device[k] for k in ("volume_id", "device_name", "boot_index")},
                          "attachment_id": attachment_id, "info": info})
        return {"volumes": found}

    def undo_volumes(self, state):
        self.agent.volumes.release(state["instance"], check=lambda: self.check(state))

    def image(self, state):
        ended = [e for e in self.events if "finish" in e]
        if self.agent.conductor.progress(self.agent.context(), state["instance"]["uuid"], "spawn", ended,
                                         attempt=self.attempt_of(state)) is False:
            raise errors.Superseded()
        self.events = self.events[len(ended):]
        self.agent.driver.prepare_disk(state["instance"], self.agent.image_files(state["instance"]),
                                       self.agent.injection(state["instance"]))

    def undo_image(self, state):
        self.agent.driver.remove_files(state["instance"]["uuid"])

    def spawn(self, state):
        instance = {**state["instance"], "network_info": state["network_info"]}
        drive = self.agent.config_drive(instance, first_boot=True)
        self.agent.driver.spawn(instance, state["network_info"], state["volumes"], drive)

    def undo_spawn(self, state):
        self.agent.driver.destroy(state["instance"]["uuid"])

    def complete(self, state):
        for volume in state["volumes"]:
            self.agent.volumes.complete(volume["attachment_id"])

    def done(self, state):
        values: Outcome = {"power_state": RUNNING, "network_info": state["network_info"]}
        if self.agent.takes_password(state["instance"]):
            values["password_used"] = True
        if self.agent.conductor.finish(self.agent.context(), state["instance"]["uuid"], "spawn", self.take_events(), values,
                                       attempt=self.attempt_of(state)) is False:
            raise errors.Superseded()

    def failed(self, step, error, state):
        if isinstance(error, errors.Superseded):
            return  # a delete waits for this task, and will report
        self.agent.conductor.fail(self.agent.context(), state["instance"]["uuid"], self.agent.conf.host, "build",
                                  reason(error), self.take_events(error), True, attempt=self.attempt_of(state))
