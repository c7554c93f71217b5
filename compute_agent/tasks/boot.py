"""Boot a server: ports, volumes, image, guest."""

from common import errors
from compute_agent.tasks.reporting import ReportingTask, reason


class Boot(ReportingTask):
    """State: {"instance": row} and what the steps add. A crash undoes it and hands the server back."""

    name, on_crash = "build", "undo"
    steps = ("network", "volumes", "image", "spawn", "complete")

    def started(self, step, state):
        uuid = state["instance"]["uuid"]
        if uuid in self.agent.cancelled:
            raise errors.Superseded()
        if step == "image":
            self.agent.conductor.progress(self.agent.context(), uuid, "spawn", self.take_events())
        super().started(step, state)

    def network(self, state):
        again = state.get("network_tried", False)
        state["network_tried"] = True
        instance = state["instance"]
        ports = self.agent.ports.build(instance, instance["requested_networks"], again=again)
        return {"network_info": self.agent.ports.picture(ports, instance["requested_networks"],
                                                           subnets=instance["config_drive"])}

    def undo_network(self, state):
        instance = state["instance"]
        own = {n["port"] for n in instance["requested_networks"] if n.get("port")}
        self.agent.ports.give_back(instance["uuid"], own)

    def volumes(self, state):
        again = state.get("volumes_tried", False)
        state["volumes_tried"] = True
        uuid, found = state["instance"]["uuid"], []
        for device in state["instance"]["block_devices"]:
            self.agent.volumes.wait_made(device["volume_id"])
            attachment_id, info = self.agent.volumes.connect(uuid, device["volume_id"], device["device_name"],
                                                             again=again)
            self.agent.conductor.attached(self.agent.context(), uuid, device["volume_id"], attachment_id, [])
            found.append({**{k: device[k] for k in ("volume_id", "device_name", "boot_index")},
                          "attachment_id": attachment_id, "info": info})
        return {"volumes": found}

    def undo_volumes(self, state):
        for device in state["instance"]["block_devices"]:
            self.agent.volumes.disconnect(state["instance"]["uuid"], device["volume_id"], None)

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
