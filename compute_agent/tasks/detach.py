"""Detach a volume from a server: first from the guest, then the export, finally the rows."""

from common import server_resources
from compute_agent.tasks.reporting import ReportingTask, reason


class Detach(ReportingTask):
    """State: {"uuid", "volume_id", "device", "attachment_id"}; "device" is the id of the row.

    A crash restarts it: after a power cut the guest is recreated with the volume, which its server still has.
    """

    name, on_crash = "detach_volume", "restart"
    steps = ("unplug", "disconnect", "record")

    def still_current(self, state):
        row = self.current(state)
        return row is not None and any(d["id"] == state["device"] for d in row["block_devices"])

    def record_unreadable(self, task_id):
        """While the server has the device, the reconciler repeats the detach."""
        return True

    def unplug(self, state):
        self.agent.driver.detach_volume(state["uuid"], state["volume_id"])

    def disconnect(self, state):
        server_resources.release_attachment(self.agent.rest, state["uuid"], state["volume_id"], state["attachment_id"])

    def record(self, state):
        self.agent.conductor.detached(self.agent.context(), state["uuid"], state["device"], None, self.take_events(),
                                      host=self.agent.conf.host)

    def failed(self, step, error, state):
        """If the guest does not release it, the volume stays attached."""
        self.agent.volumes.roll_detaching(state["volume_id"])
        self.agent.conductor.detach_failed(self.agent.context(), state["uuid"], state["volume_id"], reason(error),
                                           self.take_events(error), device=state["device"], host=self.agent.conf.host)
