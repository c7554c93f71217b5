"""Delete a server: guest, ports, volumes, files, then the row."""

from common import server_resources
from common.server_states import DELETING
from compute_agent.tasks.reporting import ReportingTask, reason
from conductor.messages import Instance


class Delete(ReportingTask):
    """State: {"instance"}. Cannot be undone; resumed after a crash."""

    name, on_crash = "terminate", "resume"
    shapes = {"instance": Instance}
    steps = ("guest", "network", "volumes", "files", "report")

    def still_current(self, state):
        row = self.current(state)
        if row is None or row["task_state"] != DELETING:
            return False
        state["instance"] = row
        return True

    def discard(self, state):
        if self.agent.conductor.get_instance(self.agent.context(), self.server_of(state)) is None:
            self.guest(state)
            self.files(state)

    def record_unreadable(self, uuid):
        """While the server exists, the reconciler repeats the delete; a guest without a server is an orphan."""
        return True

    def guest(self, state):
        self.agent.driver.destroy(state["instance"]["uuid"])

    def network(self, state):
        server_resources.release_ports(self.agent.rest, state["instance"])

    def volumes(self, state):
        server_resources.release_volumes(self.agent.rest, state["instance"])

    def files(self, state):
        self.agent.driver.remove_files(state["instance"]["uuid"])

    def report(self, state):
        self.agent.conductor.deleted(self.agent.context(), state["instance"]["uuid"], self.agent.conf.host,
                                     self.take_events())

    def failed(self, step, error, state):
        # The server stays in its deletion, and the reconciler repeats the delete.
        self.agent.log.error("instance %s could not be deleted yet, step %s: %s", state["instance"]["uuid"], step,
                             reason(error))
