"""Fill an image with a server's disk."""

import logging

from common import errors, images, shared_work
from common.rest import path
from common.server_states import ACTIVE
from compute_agent.tasks.reporting import ReportingTask, reason

LOG = logging.getLogger(__name__)
ABANDON_TIMEOUT_S = 1.0  # a delete may wait for this; what does not answer in time is asked again later


class Snapshot(ReportingTask):
    """State: {"uuid", "image_id", "vm_state", "action", "attempt"}; "action" is image_snapshot or image_backup.

    A crash undoes it: the guest runs on, and the image goes. So does a delete of the server, as in Nova.

    The guest stands still while its disk is copied: what is in the image is what the disk held at one moment.
    """

    name, on_crash = "image_snapshot", "undo"
    steps: tuple[str, ...] = ("freeze", "extract", "thaw", "upload", "rotate")

    def attempt_of(self, state):
        return state.get("attempt")

    def still_current(self, state):
        row = self.current(state)
        return row is not None and row["task_state"] == state["action"]

    def discard(self, state):
        """The server is to be deleted, or in another attempt: it runs on if it is to, and its image goes unless it is whole."""
        self._file(state).unlink(missing_ok=True)
        self.agent.let_run(self.agent.conductor.get_instance(self.agent.context(), state["uuid"]))
        self.drop_unfilled(state)

    def drop_unfilled(self, state) -> bool:
        return images.drop_unfilled(self.agent.rest, state["image_id"], ABANDON_TIMEOUT_S)

    def hurry(self, state) -> bool:
        return self.agent.cancelled(state["uuid"])

    def record_unreadable(self, uuid):
        """As long as the server waits for its image, that is asked for again, or fails. Then its guest must not stand still."""
        with self.agent.lock(uuid):
            row = self.agent.conductor.get_instance(self.agent.context(), uuid)
            if row is not None and row["task_state"]:
                return False
            self.agent.let_run(row)
        wanted = {record["state"].get("image_id") for record in self.agent.tasks.journal.records()}
        for file in self.agent.outgoing.iterdir():
            if file.name not in wanted:
                file.unlink(missing_ok=True)
        return True

    def freeze(self, state):
        if state["vm_state"] == ACTIVE:
            self.agent.driver.pause(state["uuid"])

    def undo_freeze(self, state):
        self.undo_thaw(state)
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
        if state["vm_state"] == ACTIVE:
            self.agent.thaw(state["uuid"])

    def upload(self, state):
        shared_work.attended(lambda work: images.send(self.agent.rest, state["image_id"], self._file(state), work),
                             lambda: self.hurry(state))

    def rotate(self, state):
        """Of the server's backups of this kind, the oldest go that are too many. What cannot be deleted stays."""
        image = self.agent.rest.request("GET", "image", path("/v2/images/{id}", state["image_id"]))
        if image.get("image_type") != "backup":
            return
        known = self.agent.rest.request("GET", "image", path("/v2/images", query={
            "instance_uuid": state["uuid"], "image_type": "backup", "backup_type": image["backup_type"],
            "owner": image["owner"], "status": "active", "sort": "created_at:desc", "limit": 1000}))["images"]
        for old in [i for i in known if i["owner"] == image["owner"]][int(image["backup_rotation"]):]:
            try:
                images.drop(self.agent.rest, old["id"])
            except errors.Error as error:
                LOG.info("backup %s could not be deleted: %s", old["id"], error)

    def done(self, state):
        self._file(state).unlink(missing_ok=True)
        self.agent.conductor.finish(self.agent.context(), state["uuid"], state["action"], self.take_events(), {},
                                    attempt=self.attempt_of(state))

    def failed(self, step, error, state):
        self.agent.conductor.fail(self.agent.context(), state["uuid"], self.agent.conf.host, state["action"], reason(error),
                                  self.take_events(error), False, attempt=self.attempt_of(state))
