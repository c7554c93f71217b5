"""Make a guest see that one of its volumes was extended."""

from common import errors
from common.server_states import NOT_PAUSED, PAUSED, RUNNING
from compute_agent.tasks.reporting import ReportingTask, reason
from compute_agent.tasks.volume_keys import volume_of


class ExtendVolume(ReportingTask):
    """State: {"uuid", "volume_id", "attachment_id", "device_name"}. Resumed after a crash.

    The iSCSI target reads the size of a volume only when it opens it, and I/O in that moment would fail. So the guest is paused
    for some tenths of a second; the hypervisor then reads the new size from the target, and notifies the guest. A guest that is
    off sees it when it starts.
    """

    name, on_crash = "extend_volume", "resume"
    steps = ("measure", "freeze", "reopen", "resize", "thaw")

    def __init__(self, agent):
        super().__init__(agent)
        self.retry_s = 0.0  # no retries while a guest is paused: the volume service repeats the request

    def still_current(self, state):
        row = self.current(state)
        if row is None:
            return False
        power = self.agent.driver.power_states().get(state["uuid"])
        if row["vm_state"] not in NOT_PAUSED or power not in (RUNNING, PAUSED):
            state["running"] = False  # its owner has paused or stopped it since, or it was stopped to move
        return any(d["attachment_id"] == state["attachment_id"] for d in row["block_devices"])

    def discard(self, state):
        """A deleted server has no guest; one that detached the volume may still be paused."""
        row = self.current(state)
        if row is not None and row["vm_state"] in NOT_PAUSED:
            self.thaw(state)

    def record_unreadable(self, task_id):
        """The volume service asks again; meanwhile the guest must not stand still."""
        for attachment in self.agent.volumes.attachments_on_host(volume_of(task_id)):
            with self.agent.lock(attachment["instance"]):
                self.agent.ensure_unpaused(self.agent.conductor.get_instance(self.agent.context(), attachment["instance"]))
        return True

    def measure(self, state):
        uuid, size_gb = state["uuid"], self.agent.volumes.size_gb(state["volume_id"])
        seen = self.agent.driver.volume_size_gb(uuid, state["volume_id"])
        if seen is not None and seen >= size_gb:
            return {"size_gb": size_gb, "needed": False, "running": False}
        # Test the connection to the target before the guest is paused.
        self.agent.volumes.info(state["attachment_id"], state["device_name"])
        running = self.agent.driver.power_states().get(uuid) == RUNNING
        return {"size_gb": size_gb, "needed": True, "running": running}

    def freeze(self, state):
        if state["running"]:
            self.agent.driver.pause(state["uuid"])

    def undo_freeze(self, state):
        self.thaw(state)

    def reopen(self, state):
        if state["needed"]:
            self.agent.volumes.info(state["attachment_id"], state["device_name"], io_paused=True)

    def resize(self, state):
        if state["needed"]:
            self.agent.driver.extend_volume(state["uuid"], state["volume_id"], state["size_gb"])

    def thaw(self, state):
        if state.get("running"):
            self.agent.thaw(state["uuid"])

    def done(self, state):
        self.agent.volumes.extended(state["volume_id"], error=False, size_gb=state["size_gb"])
        self.agent.conductor.progress(self.agent.context(), state["uuid"], self.name, self.take_events())
        self.agent.log.info("instance %s sees %d GiB of volume %s", state["uuid"], state["size_gb"], state["volume_id"])

    def failed(self, step, error, state):
        """If a service did not respond, the volume service repeats the request; otherwise it is told that the guest needs a
        restart."""
        self.agent.conductor.progress(self.agent.context(), state["uuid"], self.name, self.take_events(error))
        if not isinstance(error, errors.ServiceUnavailable):
            self.agent.log.error("instance %s will see the new size of volume %s only after a restart: %s",
                                 state["uuid"], state["volume_id"], reason(error))
            self.agent.volumes.extended(state["volume_id"], error=True, size_gb=state.get("size_gb"))
