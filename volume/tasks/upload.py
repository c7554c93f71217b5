"""Write what a volume has to an image, which the API has made as the user."""

import functools
import logging
import pathlib

from common import context, conversion, errors, images, shared_work
from common.rest import path
from volume.db import uploads
from volume.tasks import VolumeTask

LOG = logging.getLogger(__name__)
_CONVERTED_BYTES_S = 1 << 26  # that a conversion is given time for, if it may take more than an hour
_TABLES_BYTES = 1 << 25  # that a small disk's file may have besides its data


class UploadVolume(VolumeTask):
    """State: {"volume_id", "image_id", "in_use"}, and after a step {"converted"}.

    Undone after a crash and after a failure: the volume is available or in use again, and the image is deleted, unless it had
    already got all of the data. The service's own token is used, which is renewed: the user's could expire meanwhile.

    The snapshot of a volume in use has the id of the image, so that the audit knows what it is for.
    """

    name, on_crash = "upload-volume", "undo"
    steps = ("copy", "convert", "upload")

    def still_current(self, state):
        with self.service.db.reader() as connection:
            return uploads.find(connection, state["volume_id"], state["image_id"]) is not None

    def discard(self, state):
        """The volume is being deleted, or an administrator has reset its status."""
        self.undo_copy(state)

    def before_retry(self, step, state):
        """:raises Superseded: the volume is to be deleted"""
        if self._is_cancelled(state):
            raise errors.Superseded()

    def _is_cancelled(self, state) -> bool:
        return self.service.workers.has(state["volume_id"], ("delete_volume",))

    def copy(self, state):
        """Make a volume hold still that its server writes to."""
        if state["in_use"]:
            self.service.driver.snapshot(state["image_id"], state["volume_id"])

    def undo_copy(self, state):
        images.drop_unfilled(self.service.rest, state["image_id"])
        self._clean(state)

    def _clean(self, state) -> None:
        self._file(state).unlink(missing_ok=True)
        if state["in_use"]:
            self.service.driver.delete_snapshot(state["image_id"])

    def _file(self, state) -> pathlib.Path:
        return self.service.outgoing / state["image_id"]

    def _data(self, state) -> pathlib.Path:
        return self.service.driver.data(state["volume_id"], snapshot_id=state["image_id"] if state["in_use"] else "")

    def convert(self, state):
        try:
            image = self.service.rest.request("GET", "image", path("/v2/images/{id}", state["image_id"]))
        except errors.NotFound as error:
            raise errors.StepFailed(reason=f"Image {state['image_id']} has been deleted.") from error
        wanted = image["disk_format"]
        if image["status"] != "queued" or wanted not in conversion.FORMATS:  # its owner may change it
            raise errors.StepFailed(reason=f"Image {state['image_id']}, {image['status']} and of the format {wanted}, cannot get "
                                           "what a volume has.")
        if wanted != "raw":
            source = self._data(state)
            size = images.size_of(source)
            conversion.convert(source, "raw", self._file(state), wanted, limit=size + _TABLES_BYTES,
                               beat=functools.partial(self.before_retry, "convert", state),
                               cpu_s=max(conversion.CPU_S, size // _CONVERTED_BYTES_S))
        return {"converted": wanted != "raw"}

    def upload(self, state):
        source = self._file(state) if state["converted"] else self._data(state)
        shared_work.attended(lambda work: images.send(self.service.rest, state["image_id"], source, work),
                             lambda: self._is_cancelled(state))

    def done(self, state):
        self._clean(state)
        self._finish(state)

    def _finish(self, state, fault: str | None = None) -> None:
        row = self.service.db.transact(uploads.finish, state["volume_id"], state["image_id"], fault=fault)
        if row is not None:
            self.service.notifier.changed(context.active(), "volume", {"project_id": row["project_id"]})

    def failed(self, step, error, state):
        if not isinstance(error, errors.Superseded):
            LOG.error("volume %s was not uploaded to image %s: %s", state["volume_id"], state["image_id"], error)
            self._finish(state, fault=str(error))
