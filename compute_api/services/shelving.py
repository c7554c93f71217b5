"""Shelving of servers: the checks before one is shelved, offloaded or unshelved."""

from common import errors
from common.calls import Call
from common.server_states import SHELVED
from compute_api import access, virtual_tpm
from compute_api.services import server_images, zones
from compute_api.services.resizes import drive
from conductor.db import actions, aggregates, instances, shelving


def _begun(call: Call, connection, id: str, rule: str, action: str) -> dict:
    row = access.server(call, connection, id, rule)
    access.check_lock(call, row)
    actions.start(connection, call.ctx, id, action)
    return row


def shelve(call: Call, id: str) -> None:
    """Begin to shelve a server: its disk becomes the user's image ``<name>-shelved``, unless it boots from a volume.

    :raises Conflict: the server is locked, or its state does not allow it
    """
    with call.svc.db.reader() as connection:
        row = access.server(call, connection, id, "os_compute_api:os-shelve:shelve")
        access.check_lock(call, row)
    virtual_tpm.refuse(row, "shelve")
    image_id = None
    if row["image_meta"]:
        image_id = server_images.made(call, row, f"{row['display_name']}-shelved"[:255], {}, {"image_type": "snapshot"})
    try:
        operation_id = call.svc.db.transact(_shelve, call, id, image_id)
    except Exception:  # also if the database is away
        if image_id:
            server_images.drop(call, image_id)
        raise
    drive(call, operation_id, "shelve.start", row)


def _shelve(connection, call: Call, id: str, image_id: str | None) -> str:
    row = _begun(call, connection, id, "os_compute_api:os-shelve:shelve", "shelve")
    return shelving.shelve(connection, call.ctx, row, image_id)


def offload(call: Call, id: str) -> None:
    """Begin to remove a shelved server from its host. :raises Conflict: as ``shelve``"""
    with call.svc.db.writer() as connection:
        row = _begun(call, connection, id, "os_compute_api:os-shelve:shelve_offload", "shelveOffload")
        operation_id = shelving.offload(connection, call.ctx, row)
    drive(call, operation_id, "shelve_offload.start", row)


def unshelve(call: Call, id: str, given: dict) -> None:
    """Begin to start a shelved server.

    :param given: {} or, for a server that no host has, "availability_zone", None for any, and "host"
    :raises BadRequest: there is no such zone or host
    :raises Conflict: as ``shelve``, or the server is still on its host and may not choose another, or the host is not in the zone
    """
    services = [row for row in zones.services(call) if row["binary"] == aggregates.COMPUTE] if given else []
    with call.svc.db.writer() as connection:
        row = _begun(call, connection, id, "os_compute_api:os-shelve:unshelve", "unshelve")
        if given and row["vm_state"] == SHELVED:
            raise errors.Conflict(f'Specifying an availability zone or a host when unshelving server "{id}" with status '
                                  f'"{row["vm_state"]}" is not supported. The server status must be SHELVED_OFFLOADED.')
        host, zone = given.get("host"), given.get("availability_zone", row["pinned_availability_zone"])
        if given.get("availability_zone") and zone not in zones.usable(services):
            raise errors.BadRequest("The requested availability zone is not available")
        if host:
            call.svc.policy.check(call.ctx, "os_compute_api:os-shelve:unshelve_to_host", access.target(row))
            check_host(services, host, zone)
        if "availability_zone" in given:
            instances.write(connection, id, pinned_availability_zone=zone)
        operation_id = shelving.unshelve(connection, call.ctx, row, host)
    drive(call, operation_id, "unshelve.start", row)


def check_host(services: list[dict], host: str, zone: str | None) -> None:
    """:raises BadRequest: unknown host. :raises Conflict: it is not in the zone; a zone of None is any"""
    found = next((row for row in services if row["host"] == host), None)
    if found is None:
        raise errors.BadRequest(f"Compute host {host} could not be found.")
    if zone not in (None, found["zone"]):
        raise errors.Conflict(f'Host "{host}" is not in the availability zone "{zone}".')
