"""Rebuild of a server that boots from a volume: an image is written over what the volume has."""

from common import errors, server_resources
from common.rest import path
from common.server_states import ERROR
from conductor.db import actions, instances, machine, rebuilds, secrets
from conductor.operations import Job, Operation, Wait
from conductor.operations.reservations import recorded, reserve_anew

VERSION = {"OpenStack-API-Version": "volume 3.68"}


class RebuildVolume(Operation):
    """Until the volume service accepts the image, the server is started again with what it had if a step fails. Afterwards the
    volume may have anything, and a failure leaves the server in ERROR, from which it can be rebuilt again."""

    kind = rebuilds.REBUILD_VOLUME
    steps = undoable = ("stop", "reserve", "request", "reimage", "start")
    patient = ("reimage",)
    host_steps = {"stop": "stop_and_destroy", "undo_stop": "reconnect", "start": "rebuild_volume", "undo_start": "destroy"}
    notifications = ("rebuild.end", "rebuild.error")

    def stop(self, job: Job) -> Wait:
        return job.ask_or_fail(job.data["source"])

    def undo_stop(self, job: Job) -> Wait | None:
        """Of a server that was in ERROR before it is not known what its guest did."""
        if job.data.get("overwritten") or job.data["before"] == ERROR:
            return None
        return job.ask(job.data["source"])

    def reserve(self, job: Job) -> dict:
        """No host has the volume while it is written to. After a rebuild that failed it is in error, and reserved."""
        volume_id = job.data["volume_id"]
        if _volume(job)["status"] != "error":
            return {"attachment": reserve_anew(job, volume_id, recorded(job, volume_id))}
        return {}

    def record_reserve(self, connection, job: Job) -> None:
        if "attachment" in job.data:
            instances.set_attachment(connection, job.uuid, job.data["volume_id"], job.data["attachment"])

    def undo_reserve(self, job: Job) -> dict | None:
        """Complete a step that was interrupted: the former attachment may have ended, or may yet, as a request to end it can be
        late. The guest starts with the reservation; if there can be none, it keeps what it had.
        """
        if "attachment" in job.data or job.data.get("overwritten"):
            return None
        volume_id = job.data["volume_id"]
        former = recorded(job, volume_id)
        try:
            return {"attachment": reserve_anew(job, volume_id, former)}
        except errors.NotFound:
            return {"overwritten": True}
        except errors.BadRequest:
            known = server_resources.attachments_of(job.service.rest, job.uuid, volume_id=volume_id)
            return None if former in known else {"overwritten": True}

    record_undo_reserve = record_reserve

    def request(self, job: Job) -> dict:
        """Repeatable: if it was accepted before, the volume has got its image, or gets it again."""
        if _volume(job)["status"] != "downloading":
            job.check()
            body = {"os-reimage": {"image_id": job.data["image_id"], "reimage_reserved": True}}
            job.service.rest.request("POST", "volume", path("/v3/volumes/{id}/action", job.data["volume_id"]), body=body,
                                     headers=VERSION)
        return {"overwritten": True}

    def undo_request(self, job: Job) -> dict | None:
        """The answer of the volume service may have been lost. A volume that is gone has lost everything too."""
        try:
            lost = _volume(job)["status"] in ("downloading", "error")
        except errors.NotFound:
            lost = True
        return {"overwritten": True} if lost else None

    def reimage(self, job: Job) -> None:
        """Patient, because writing a large image takes long, and the volume has lost what it had in any case.

        :raises ServiceUnavailable: the volume is still being written to; its service reports when it is not
        """
        status = _volume(job)["status"]
        if status == "downloading":
            raise errors.ServiceUnavailable(part=f"volume {job.data['volume_id']}, which still gets its image")
        if status != "reserved":
            raise errors.StepFailed(reason=f"Volume {job.data['volume_id']} has not got the image: it is {status}.")

    def start(self, job: Job) -> Wait:
        return job.ask_or_fail(job.data["source"])

    def undo_start(self, job: Job) -> Wait | None:
        return job.ask_if_up(job.data["source"])

    def finished(self, connection, job: Job) -> None:
        machine.finish(connection, job.uuid, "rebuild", attempt=job.row["attempt"], end=job.data["vm_state"],
                       power_state=job.data["power_state"], fault=None)
        secrets.drop_password(connection, job.uuid)

    def failed(self, connection, job: Job, error: str) -> None:
        state = ERROR if job.data.get("overwritten") else job.data["before"]
        machine.fail(connection, job.uuid, "rebuild", attempt=job.row["attempt"], fault=machine.fault(error), vm_state=state)
        actions.failed(connection, job.row["request_id"], job.uuid, error)
        secrets.drop_password(connection, job.uuid)


def _volume(job: Job) -> dict:
    """:raises NotFound: it is gone"""
    return job.service.rest.request("GET", "volume", path("/v3/volumes/{id}", job.data["volume_id"]),
                                    headers=server_resources.VOLUME_VERSION)["volume"]
