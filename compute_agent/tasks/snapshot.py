"""Upload a server's disk as an image."""

import logging

from common import errors, images, shared_work
from common.rest import path
from common.server_states import ACTIVE
from compute_agent.tasks.reporting import ReportingTask, reason

LOG = logging.getLogger(__name__)
ABANDON_TIMEOUT_S = 1.0  # a delete may wait for this; other requests are repeated later


class Snapshot(ReportingTask):
    """State: {"uuid", "image_id", "vm_state", "action", "attempt"}; "action" is image_snapshot or image_backup.

    Undone after a crash: the guest continues, and the image is deleted. As in Nova, so does a delete of the server.

    The guest is paused while its disk is copied, so that the image is consistent; an agent in it may have frozen its file systems
    before.
    """

    name, on_crash = "image_snapshot", "undo"
    steps: tuple[str, ...] = ("freeze", "extract", "thaw", "upload", "rotate")

    def attempt_of(self, state):
        return state.get("attempt")

    def still_current(self, state):
        row = self.current(state)
        return row is not None and row["task_state"] == state["action"]

    def discard(self, state):
        """The server is being deleted or in another attempt: unpause it if it is active, and delete the image unless it is
        complete."""
        self._file(state).unlink(missing_ok=True)
        self.agent.ensure_unpaused(self.agent.conductor.get_instance(self.agent.context(), state["uuid"]))
        self.drop_unfilled(state)

    def drop_unfilled(self, state) -> bool:
        return images.drop_unfilled(self.agent.rest, state["image_id"], ABANDON_TIMEOUT_S)

    def is_cancelled(self, state) -> bool:
        return self.agent.cancelled(state["uuid"])

    def record_unreadable(self, uuid):
        """While the server waits for its image, the reconciler repeats or fails the request. The guest must not stay paused."""
        with self.agent.lock(uuid):
            row = self.agent.conductor.get_instance(self.agent.context(), uuid)
            if row is not None and row["task_state"]:
                return False
            self.agent.ensure_unpaused(row)
        wanted = {record["state"].get("image_id") for record in self.agent.tasks.journal.records()}
        for file in self.agent.outgoing.iterdir():
            if file.name not in wanted:
                file.unlink(missing_ok=True)
        return True

    def freeze(self, state):
        if state["vm_state"] == ACTIVE:
            self.agent.driver.quiesce(state["uuid"])
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
                             lambda: self.is_cancelled(state))

    def rotate(self, state):
        """Delete the oldest backups of this type that exceed the rotation. Protected ones, and others that cannot be deleted, are
        left.
        """
        try:
            image = self.agent.rest.request("GET", "image", path("/v2/images/{id}", state["image_id"]))
        except errors.NotFound:  # its owner has deleted it since it was uploaded
            return
        if image.get("image_type") != "backup":
            return
        known = self.agent.rest.request("GET", "image", path("/v2/images", query={
            "instance_uuid": state["uuid"], "image_type": "backup", "backup_type": image["backup_type"],
            "owner": image["owner"], "status": "active", "sort": "created_at:desc", "limit": 1000}))["images"]
        for old in [i for i in known if i["owner"] == image["owner"]][int(image["backup_rotation"]):]:
            if old["protected"]:
                continue
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
