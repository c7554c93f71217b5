"""Boot a server: ports, volumes, image, guest."""

from common import errors, holdings
from common.server_states import BUILDING, NETWORKING, SPAWNING
from compute_agent.tasks.reporting import ReportingTask, reason


class Boot(ReportingTask):
    """State: {"instance": row} and what the steps add.

    A crash of the agent is no failure of the host: the build goes on where it was. One attempt to build a server is known
    by its host and by the hosts that had failed before.
    """

    name, on_crash = "build", "resume"
    steps = ("network", "volumes", "image", "spawn", "complete")

    def started(self, step, state):
        uuid = state["instance"]["uuid"]
        if self.agent.cancelled(uuid):
            raise errors.Superseded()
        if step == "image":
            self.agent.conductor.progress(self.agent.context(), uuid, "spawn", self.take_events())
        super().started(step, state)

    def take_up(self, state):
        row = self.current(state)
        if row is None or row["vm_state"] != BUILDING or row["tried_hosts"] != state["instance"]["tried_hosts"] \
                or row["task_state"] not in (NETWORKING, SPAWNING):
            return False
        state.update(instance=row, network_tried=True, volumes_tried=True)
        return True

    def abandon(self, state):
        """Of a server that is gone, or was given to another host, the guest and its files here are nobody's. Ports and
        attachments go with the server, or to the host that builds it now."""
        instance = self.agent.conductor.get_instance(self.agent.context(), state["instance"]["uuid"])
        if instance is None or instance["host"] != self.agent.conf.host:
            self.undo_spawn(state)
            self.undo_image(state)
        if instance is None:
            self.undo_network(state)
            self.undo_volumes(state)

    def network(self, state):
        # A host that failed before may have left some.
        again = state.get("network_tried", False) or bool(state["instance"]["tried_hosts"])
        state["network_tried"] = True
        instance = state["instance"]
        ports = self.agent.ports.build(instance, instance["requested_networks"], again=again)
        return {"network_info": self.agent.ports.picture(ports, instance["requested_networks"],
                                                           subnets=instance["config_drive"])}

    def undo_network(self, state):
        holdings.release_ports(self.agent.rest, state["instance"])

    def volumes(self, state):
        again = state.get("volumes_tried", False)
        state["volumes_tried"] = True
        uuid, found = state["instance"]["uuid"], []
        for device in state["instance"]["block_devices"]:
            if state["instance"]["tried_hosts"] and not again:
                # What a host that failed before has left was for that host's initiator only.
                holdings.release_attachment(self.agent.rest, uuid, device["volume_id"], None)
            self.agent.volumes.wait_made(device["volume_id"])
            attachment_id, info = self.agent.volumes.connect(uuid, device["volume_id"], device["device_name"],
                                                             again=again)
            self.agent.conductor.attached(self.agent.context(), uuid, device["volume_id"], attachment_id, [])
            found.append({**{k: device[k] for k in ("volume_id", "device_name", "boot_index")},
                          "attachment_id": attachment_id, "info": info})
        return {"volumes": found}

    def undo_volumes(self, state):
        for device in state["instance"]["block_devices"]:
            holdings.release_attachment(self.agent.rest, state["instance"]["uuid"], device["volume_id"], None)

    def image(self, state):
        self.agent.driver.prepare_disk(state["instance"], self.agent.image_files(state["instance"]))

    def undo_image(self, state):
        self.agent.driver.remove_files(state["instance"]["uuid"])

    def spawn(self, state):
        instance = {**state["instance"], "network_info": state["network_info"]}
        drive = self.agent.config_drive(instance) if instance["config_drive"] else None
        self.agent.driver.spawn(instance, state["network_info"], state["volumes"], drive)

    def undo_spawn(self, state):
        self.agent.driver.destroy(state["instance"]["uuid"])

    def complete(self, state):
        for volume in state["volumes"]:
            self.agent.volumes.complete(volume["attachment_id"])

    def done(self, state):
        self.agent.conductor.finish(self.agent.context(), state["instance"]["uuid"], "spawn", self.take_events(),
                                    {"power_state": 1, "network_info": state["network_info"]})

    def failed(self, step, error, state):
        if isinstance(error, errors.Superseded):
            return  # a delete waits for this to end, and will report
        self.agent.conductor.fail(self.agent.context(), state["instance"]["uuid"], self.agent.conf.host, "build",
                                  reason(error), self.take_events(error), True)
