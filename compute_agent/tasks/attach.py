"""Attach a volume to a server."""

from common import errors, server_resources
from compute_agent.tasks.reporting import ReportingTask, reason
from compute_agent.tasks.volume_keys import volume_of


class Attach(ReportingTask):
    """State: {"uuid", "volume_id", "device", "device_name"}; "device" is the id of the row. Resumed after a crash."""

    name, on_crash = "attach_volume", "resume"
    steps = ("connect", "plug", "record")

    def still_current(self, state):
        state["tried"] = True
        return self._is_current(state)

    def _is_current(self, state) -> bool:
        row = self.current(state)
        return row is not None and any(d["id"] == state["device"] for d in row["block_devices"])

    def check(self, state) -> None:
        """:raises Superseded: the device was removed from the server"""
        if not self._is_current(state):
            raise errors.Superseded()

    def discard(self, state):
        """The device was removed from the server: delete the attachment that this task created."""
        if state.get("attachment_id"):
            if state["uuid"] in self.agent.driver.power_states():
                self.agent.driver.detach_volume(state["uuid"], state["volume_id"])
            server_resources.release_attachment(self.agent.rest, state["uuid"], state["volume_id"], state["attachment_id"])

    def record_unreadable(self, task_id):
        """An attachment that the server's device has is completed, one that nobody has is ended; what is still wanted is asked
        for again."""
        volume_id = volume_of(task_id)
        return all([self._settle_attachment(volume_id, a["id"], a["instance"])
                    for a in self.agent.volumes.attachments_on_host(volume_id)])

    def _settle_attachment(self, volume_id: str, attachment_id: str, uuid: str) -> bool:
        with self.agent.lock(uuid):
            row = self.agent.conductor.get_instance(self.agent.context(), uuid)
            devices = [] if row is None or row["host"] != self.agent.conf.host else row["block_devices"]
            if any(d["attachment_id"] == attachment_id for d in devices):
                self.agent.volumes.complete(attachment_id)
            elif row is not None and row["task_state"] or any(d["volume_id"] == volume_id for d in devices):
                return False
            else:
                self.discard({"uuid": uuid, "volume_id": volume_id, "attachment_id": attachment_id})
            return True

    def connect(self, state):
        again = state.get("tried", False)
        state["tried"] = True
        attachment_id, info = self.agent.volumes.connect(state["uuid"], state["volume_id"], state["device_name"],
                                                         again=again, check=lambda: self.check(state), reserved=True)
        return {"attachment_id": attachment_id, "info": info}

    def undo_connect(self, state):
        server_resources.release_attachment(self.agent.rest, state["uuid"], state["volume_id"], state.get("attachment_id"))

    def plug(self, state):
        self.agent.driver.attach_volume(state["uuid"], {k: state[k] for k in ("volume_id", "device_name", "info")})

    def undo_plug(self, state):
        self.agent.driver.detach_volume(state["uuid"], state["volume_id"])

    def record(self, state):
        """The row first: whoever sees the volume in use may detach it immediately."""
        if self.agent.conductor.attached(self.agent.context(), state["uuid"], state["volume_id"], state["attachment_id"],
                                         self.take_events(), device=state["device"],
                                         host=self.agent.conf.host) is False:
            raise errors.Superseded()
        self.agent.volumes.complete(state["attachment_id"])

    def failed(self, step, error, state):
        self.agent.conductor.detached(self.agent.context(), state["uuid"], state["device"], reason(error),
                                      self.take_events(error), host=self.agent.conf.host)
