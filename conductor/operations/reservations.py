"""Reservations of volumes for servers that stay without their host for a while."""

from common import errors, server_resources
from conductor.operations import Job


def reserve_anew(job: Job, volume_id: str) -> str:
    """A new reservation of a volume, beside which no other attachment is left. Repeatable; returns its id.

    :raises Superseded: the operation is not at this step any more
    :raises NotFound: the volume is gone
    """
    rest, known = job.service.rest, server_resources.attachments_of(job.service.rest, job.uuid, volume_id=volume_id)
    job.check()
    made = server_resources.reserve_volume(rest, job.uuid, volume_id)
    try:
        job.check()  # a deletion may have listed the attachments before this one was made
    except errors.Superseded:
        server_resources.end_attachment(rest, made)
        raise
    for each in known:
        server_resources.end_attachment(rest, each)
    return made
