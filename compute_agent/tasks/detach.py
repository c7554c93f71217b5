"""Detach a volume from a server: the guest lets go first, the export ends next, the rows go last."""

from common import server_resources
from compute_agent.tasks.reporting import ReportingTask, reason


class Detach(ReportingTask):
    """State: {"uuid", "volume_id", "device", "attachment_id"}; "device" is the row's id. A crash resumes it."""

    name, on_crash = "detach_volume", "resume"
    steps = ("unplug", "disconnect", "record")

    def still_current(self, state):
        row = self.current(state)
        return row is not None and any(d["id"] == state["device"] for d in row["block_devices"])

    def record_unreadable(self, volume_id):
        """As long as the server has the device, its detachment is asked for again."""
        return True

    def unplug(self, state):
        self.agent.driver.detach_volume(state["uuid"], state["volume_id"])

    def disconnect(self, state):
        server_resources.release_attachment(self.agent.rest, state["uuid"], state["volume_id"], state["attachment_id"])

    def record(self, state):
        self.agent.conductor.detached(self.agent.context(), state["uuid"], state["device"], None, self.take_events())

    def failed(self, step, error, state):
        """A guest that does not let go keeps its volume. Nothing is half done for good: detaching again starts over,
        and every step finds what is done already."""
        self.agent.conductor.detach_failed(self.agent.context(), state["uuid"], state["volume_id"], reason(error),
                                           self.take_events(error), device=state["device"])
