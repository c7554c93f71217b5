"""Attach a volume to a server."""

from common import holdings
from compute_agent.tasks.reporting import ReportingTask, reason


class Attach(ReportingTask):
    """State: {"uuid", "volume_id", "device", "device_name"}; "device" is the row's id. After a crash it goes on."""

    name, on_crash = "attach_volume", "resume"
    steps = ("connect", "plug", "record")

    def take_up(self, state):
        row = self.current(state)
        state["tried"] = True
        return row is not None and any(d["id"] == state["device"] for d in row["block_devices"])

    def abandon(self, state):
        """The device is no longer the server's: what this attachment began ends, by its own id."""
        if state.get("attachment_id"):
            self.agent.driver.detach_volume(state["uuid"], state["volume_id"])
            holdings.release_attachment(self.agent.rest, state["uuid"], state["volume_id"], state["attachment_id"])

    def connect(self, state):
        again = state.get("tried", False)
        state["tried"] = True
        attachment_id, info = self.agent.volumes.connect(state["uuid"], state["volume_id"], state["device_name"],
                                                         again=again)
        return {"attachment_id": attachment_id, "info": info}

    def undo_connect(self, state):
        holdings.release_attachment(self.agent.rest, state["uuid"], state["volume_id"], state.get("attachment_id"))

    def plug(self, state):
        self.agent.driver.attach_volume(state["uuid"], {k: state[k] for k in ("volume_id", "device_name", "info")})

    def undo_plug(self, state):
        self.agent.driver.detach_volume(state["uuid"], state["volume_id"])

    def record(self, state):
        """The row first: who sees the volume in use may detach it in that moment."""
        self.agent.conductor.attached(self.agent.context(), state["uuid"], state["volume_id"], state["attachment_id"],
                                      self.take_events())
        self.agent.volumes.complete(state["attachment_id"])

    def failed(self, step, error, state):
        self.agent.conductor.detached(self.agent.context(), state["uuid"], state["device"], reason(error),
                                      self.take_events(error))
