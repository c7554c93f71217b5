"""Fill an image with a server's disk."""

from common import images
from compute_agent.tasks.reporting import ReportingTask, reason


class Snapshot(ReportingTask):
    """State: {"uuid", "image_id", "vm_state"}. A crash undoes it: the guest runs on, and the image goes.

    The guest stands still while its disk is copied: what is in the image is what the disk held at one moment.
    """

    name, on_crash = "image_snapshot", "undo"
    steps = ("freeze", "extract", "thaw", "upload")

    def freeze(self, state):
        if state["vm_state"] == "active":
            self.agent.driver.pause(state["uuid"])

    def undo_freeze(self, state):
        if state["vm_state"] == "active":
            self.agent.driver.unpause(state["uuid"])
        images.drop(self.agent.rest, state["image_id"])

    def _file(self, state):
        return self.agent.outgoing / state["image_id"]

    def extract(self, state):
        self.agent.driver.snapshot(state["uuid"], str(self._file(state)))

    def undo_extract(self, state):
        self._file(state).unlink(missing_ok=True)

    def thaw(self, state):
        self.undo_thaw(state)

    def undo_thaw(self, state):
        if state["vm_state"] == "active":
            self.agent.driver.unpause(state["uuid"])

    def upload(self, state):
        images.send(self.agent.rest, state["image_id"], self._file(state))

    def done(self, state):
        self._file(state).unlink(missing_ok=True)
        self.agent.conductor.finish(self.agent.context(), state["uuid"], self.name, self.take_events(), {})

    def failed(self, step, error, state):
        self.agent.conductor.fail(self.agent.context(), state["uuid"], self.agent.conf.host, self.name, reason(error),
                                  self.take_events(error), False)
