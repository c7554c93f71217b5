"""Reservations of volumes for servers that stay without their host for a while."""

from common import errors, server_resources
from conductor.db import instances
from conductor.operations import Job


def recorded(job: Job, volume_id: str) -> str | None:
    """The attachment of a volume in the server's row; None: there is none, or no server any more."""
    with job.service.db.reader() as connection:
        row = instances.find(connection, job.uuid)
    return next((d["attachment_id"] for d in row["block_devices"] if d["volume_id"] == volume_id), None) if row else None


def reserve_anew(job: Job, volume_id: str, former: str | None) -> str:
    """A new reservation of a volume, beside which no other attachment is left. Repeatable: it is the one that an interrupted
    attempt has made, if there is one. Returns its id.

    :param former: the attachment in the server's row. A host that is late may know it, so it ends even if it is a reservation
    :raises Superseded: the operation is not at this step any more
    :raises NotFound: the volume is gone
    :raises BadRequest: the volume's status does not allow that; no attachment was ended, also not by an interrupted attempt
    """
    rest, known = job.service.rest, server_resources.attachments_of(job.service.rest, job.uuid, volume_id=volume_id)
    reserved = server_resources.attachments_of(
        rest, job.uuid, volume_id=volume_id, attach_status="reserved") if set(known) - {former} else []
    made = min(set(reserved) - {former}, default=None)
    job.check()
    if made is None:
        made = server_resources.reserve_volume(rest, job.uuid, volume_id)
        try:
            job.check()  # a deletion may have listed the attachments before this one was made
        except errors.Superseded:
            if recorded(job, volume_id) != made:  # else another conductor has found it, and went on
                server_resources.end_attachment(rest, made)
            raise
    for each in known:
        if each != made:
            server_resources.end_attachment(rest, each)
    return made
