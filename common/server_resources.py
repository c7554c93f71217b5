"""What a server uses in other services (ports, attachments and volumes), and how it is released.

Called by whoever deletes a server: the agent of its host, or the conductor if the host is down. All functions are repeatable.
"""

import collections.abc
import logging

from common import errors
from common.rest import path

LOG = logging.getLogger(__name__)
VOLUME_VERSION = {"OpenStack-API-Version": "volume 3.44"}
# In which a volume cannot be deleted, and which it leaves without anybody's help.
_TRANSIENT = ("creating", "downloading", "extending", "uploading")
MIGRATING_TO = "migrating_to"  # in the profile of a port that is plugged on two hosts
MULTIQUEUE = "multiqueue"  # there too: the guest's interface has several queues
Check = collections.abc.Callable[[], object]
_UNBOUND = {"device_id": "", "device_owner": "", "binding:host_id": ""}


def ports_of(rest, uuid: str) -> list[dict]:
    """The ports of a server, on any host, by the network service's record of the ports that compute agents bound: anybody may
    write a server's id into the ``device_id`` of a port.
    """
    return rest.request("GET", "network", path("/v2.0/ports", query={"device_id": uuid, "relation": "compute"}))["ports"]


def if_match(port: dict) -> dict:
    """Headers of a request that is to be carried out only if nobody changed the port since it was read."""
    return {"If-Match": f"revision_number={port['revision_number']}"}


def release_port(rest, port_id: str, *, keep: bool, as_read: dict | None = None) -> None:
    """Delete a port, or unbind a preexisting one (``keep``).

    :param as_read: the port as it was read; if it has changed since, for example because another host bound it, it is left alone
    :raises PreconditionFailed: it has changed
    """
    where, headers = path("/v2.0/ports/{id}", port_id), if_match(as_read) if as_read else None
    try:
        if keep:
            rest.request("PUT", "network", where, body={"port": _UNBOUND}, headers=headers)
        else:
            rest.request("DELETE", "network", where, headers=headers)
    except errors.NotFound:
        LOG.debug("port %s does not exist any more", port_id)


def as_queues(as_read: dict, multiqueue: bool) -> dict:
    """What an update of a port has to say of the queues of its guest's interface: nothing, where it is as it should be."""
    profile = as_read.get("binding:profile") or {}
    if bool(profile.get(MULTIQUEUE)) == multiqueue:
        return {}
    kept = {name: value for name, value in profile.items() if name != MULTIQUEUE}
    return {"binding:profile": {**kept, **({MULTIQUEUE: True} if multiqueue else {})}}


def bind_port(rest, as_read: dict, host: str) -> None:
    """Have another host plug a port, if nobody changed it since it was read.

    :raises PreconditionFailed: somebody did
    """
    try:
        rest.request("PUT", "network", path("/v2.0/ports/{id}", as_read["id"]), body={"port": {"binding:host_id": host}},
                     headers=if_match(as_read), timeout_s=60)
    except errors.NotFound:
        LOG.debug("port %s is gone already", as_read["id"])


def share_port(rest, as_read: dict, host: str | None) -> dict:
    """Have another host plug a port too, if nobody changed it since it was read; None: no other host any more.

    :raises PreconditionFailed: somebody did
    """
    profile = {name: value for name, value in as_read["binding:profile"].items() if name != MIGRATING_TO}
    body = {"port": {"binding:profile": {**profile, **({MIGRATING_TO: host} if host else {})}}}
    return rest.request("PUT", "network", path("/v2.0/ports/{id}", as_read["id"]), body=body, headers=if_match(as_read),
                        timeout_s=60)["port"]


def stay_ports(rest, uuid: str, host: str, *, check: Check) -> None:
    """Let a host have no part of a server's ports any more, that a live migration to it had it plug.

    :param check: raises Superseded if the server may be on its way to that host again
    :raises ServiceUnavailable: somebody changes a port at the same time; to be called again
    """
    found = [p for p in ports_of(rest, uuid) if p["binding:profile"].get(MIGRATING_TO) == host]
    if found:
        check()
    for port in found:
        try:
            share_port(rest, port, None)
        except errors.NotFound:
            LOG.debug("port %s is gone already", port["id"])
        except errors.PreconditionFailed as error:
            raise errors.ServiceUnavailable(part="the network service: a port changes") from error


def release_ports(rest, server: dict) -> None:
    """Delete the ports that were created for a server, and unbind preexisting ones.

    :param server: its row
    """
    own = preexisting_ports(server)
    for port in ports_of(rest, server["uuid"]):
        release_port(rest, port["id"], keep=is_preexisting(port, own))


def preexisting_ports(server: dict) -> set[str]:
    """The ids of the ports that a server's owner had made for it, as far as its row knows."""
    return {n["port"] for n in server["requested_networks"] if n.get("port")}


def is_preexisting(port: dict, own: collections.abc.Container[str]) -> bool:
    """Whether a port that a server has is to stay without it.

    The network service knows that also where a server's row does not: an agent may have been killed between binding a port and
    reporting it.

    :param port: as ``ports_of`` shows it
    :param own: the ids of those that the server's row names; they count for a port that an earlier release created
    """
    created = port.get("created_for_server")
    return port["id"] in own if created is None else not created


def attachments_of(rest, uuid: str, **only: str) -> list[str]:
    """The ids of a server's attachments. ``only``: filters of the volume service, such as ``volume_id`` or ``attached_host``."""
    where = path("/v3/attachments", query={"all_tenants": 1, "instance_id": uuid, **only})
    return [a["id"] for a in rest.request("GET", "volume", where, headers=VOLUME_VERSION)["attachments"]]


def reserve_volume(rest, uuid: str, volume_id: str) -> str:
    """Reserve a volume for a server that has it already, or an available one; returns the id of the attachment.

    :raises BadRequest, NotFound: it is in use by others, or gone
    """
    made = rest.request("POST", "volume", path("/v3/attachments"), headers=VOLUME_VERSION, body={
        "attachment": {"volume_uuid": volume_id, "instance_uuid": uuid}})
    return made["attachment"]["id"]


def complete_attachment(rest, attachment_id: str) -> None:
    """Say that the server has the volume, which is then in-use; that of a server without a host is connected later."""
    rest.request("POST", "volume", path("/v3/attachments/{id}/action", attachment_id), headers=VOLUME_VERSION,
                 body={"os-complete": {}})


def waiting_images(rest, uuid: str, project_id: str) -> list[dict]:
    """The images that are to be filled from a server's disk.

    Only those of the server's project: anybody can put any server's id into the properties of an image, and would get its disk.
    """
    query = path("/v2/images", query={"instance_uuid": uuid, "owner": project_id, "status": "in:queued,saving"})
    return [image for image in rest.request("GET", "image", query)["images"] if image["owner"] == project_id]


def drop_image(rest, image_id: str) -> None:
    """Delete an image. Repeatable. :raises Forbidden: it is protected"""
    try:
        rest.request("DELETE", "image", path("/v2/images/{id}", image_id))
    except errors.NotFound:
        LOG.debug("image %s does not exist any more", image_id)


def end_attachment(rest, attachment_id: str) -> None:
    """Delete an attachment, which ends the export and frees the volume."""
    try:
        rest.request("DELETE", "volume", path("/v3/attachments/{id}", attachment_id), headers=VOLUME_VERSION)
    except errors.NotFound:
        LOG.debug("attachment %s does not exist any more", attachment_id)


def release_attachment(rest, uuid: str, volume_id: str, attachment_id: str | None) -> None:
    """Delete an attachment of a server.

    :param attachment_id: None if unknown: it may have been created, and the report lost
    """
    for each in [attachment_id] if attachment_id else attachments_of(rest, uuid, volume_id=volume_id):
        end_attachment(rest, each)


def release_volumes(rest, server: dict) -> None:
    """Detach the volumes of a server, and delete those with ``delete_on_termination``.

    :param server: its row with ``block_devices``
    :raises ServiceUnavailable: a volume cannot be deleted yet; to be called again later
    """
    for device in server["block_devices"]:
        # Including the attachments to the other host during a migration.
        found = set(attachments_of(rest, server["uuid"], volume_id=device["volume_id"]))
        for each in sorted(found | {device["attachment_id"]} - {None}):
            end_attachment(rest, each)
        if device["delete_on_termination"]:
            _delete_volume(rest, device["volume_id"])


def _delete_volume(rest, volume_id: str) -> None:
    """Delete a volume if its status allows that.

    :raises ServiceUnavailable: its status will change by itself, for example while it is being created
    """
    where = path("/v3/volumes/{id}", volume_id)
    try:
        rest.request("DELETE", "volume", where, headers=VOLUME_VERSION)
    except errors.NotFound:
        LOG.debug("volume %s does not exist any more", volume_id)
    except errors.BadRequest as error:
        status = rest.request("GET", "volume", where, headers=VOLUME_VERSION)["volume"]["status"]
        if status in _TRANSIENT:
            raise errors.ServiceUnavailable(part=f"volume {volume_id}, which is {status}") from error
        if status != "deleting":
            LOG.warning("volume %s, which is %s, could not be deleted with its server: %s", volume_id, status, error)


# The steps of a deletion that any host can do, in order, by their names in the server's events.
STEPS = {"network": release_ports, "volumes": release_volumes}
