"""The volumes of servers, through the volume API."""

import collections.abc
import contextlib
import logging
import time

from common import errors, server_resources
from common.rest import Path, path
from common.vault import Vault, seal_chap

LOG = logging.getLogger(__name__)
TRIES = 3
Check = collections.abc.Callable[[], object]


class Volumes:
    """Connection info contains the CHAP secret in encrypted form, because it is journalled. The driver decrypts it."""

    def __init__(self, rest, connector: dict, vault: Vault):
        self.rest, self.connector, self.vault = rest, connector, vault

    def _request(self, method: str, where: Path, body=None):
        return self.rest.request(method, "volume", where, body=body, headers=server_resources.VOLUME_VERSION)

    def _left(self, uuid: str, volume_id: str, check: Check, reserved: bool) -> str | None:
        """The attachment that this host already has, or with ``reserved`` the one that was reserved for it. Attachments of other
        hosts, and unconnected ones of interrupted attempts, are deleted."""
        found = server_resources.attachments_of(self.rest, uuid, volume_id=volume_id)
        own = server_resources.attachments_of(
            self.rest, uuid, volume_id=volume_id, attached_host=self.connector["host"]) if found else []
        if reserved and found and not own:
            own = server_resources.attachments_of(self.rest, uuid, volume_id=volume_id, attach_status="reserved")[:1]
        others = [a for a in found if a not in own]
        if others:
            check()
            for each in others:
                server_resources.end_attachment(self.rest, each)
        return own[0] if own else None

    def connect(self, uuid: str, volume_id: str, device: str, *, again: bool, check: Check,
                reserved: bool = False) -> tuple[str, dict]:
        """Reserve a volume for a server and have it exported to this host.

        :param again: an earlier attempt, or another host, may have left an attachment
        :param reserved: the attachment may be reserved already. Only if no other host can have reserved it
        :param check: raises Superseded if the server belongs to another host by now, whose attachment is then left alone
        :returns: (attachment id, connection info {"driver_volume_type", …})
        :raises StepFailed: the volume cannot be attached
        """
        connector = {**self.connector, "mountpoint": device}
        for left in reversed(range(TRIES if again else 1)):
            try:
                known = self._left(uuid, volume_id, check, reserved) if again else None
                if known:
                    made = self._request("PUT", path("/v3/attachments/{id}", known), {"attachment": {"connector": connector}})
                else:
                    made = self._request("POST", path("/v3/attachments"), {"attachment": {
                        "volume_uuid": volume_id, "instance_uuid": uuid, "connector": connector}})
                break
            except errors.Superseded:
                raise
            except (errors.BadRequest, errors.NotFound, errors.Conflict) as error:
                if not left:  # otherwise another host may have attached it since the check
                    raise errors.StepFailed(reason=f"Volume {volume_id} could not be connected: {error}") from error
        return made["attachment"]["id"], seal_chap(self.vault, made["attachment"]["connection_info"])

    def connect_beside(self, uuid: str, volume_id: str, device: str, *, former: str, check: Check) -> tuple[str, dict]:
        """As ``connect``, besides the attachment of the source host of a migration.

        :param former: that attachment, which the server's row has
        :raises StepFailed: the volume cannot be attached
        :raises ServiceUnavailable: not yet, since it is being extended
        """
        own = server_resources.attachments_of(self.rest, uuid, volume_id=volume_id, attached_host=self.connector["host"])
        check()
        if own:
            return own[0], self.info(own[0], device)
        try:
            made = self._made_beside({"volume_uuid": volume_id, "instance_uuid": uuid, "connector": {
                **self.connector, "mountpoint": device}}, former)
        except (errors.BadRequest, errors.NotFound, errors.Conflict) as error:
            raise errors.StepFailed(reason=f"Volume {volume_id} could not be connected: {error}") from error
        try:
            check()  # a deletion may have listed the attachments before this one was created
        except errors.Superseded:
            server_resources.end_attachment(self.rest, made["attachment"]["id"])
            raise
        return made["attachment"]["id"], seal_chap(self.vault, made["attachment"]["connection_info"])

    def _made_beside(self, wanted: dict, former: str) -> dict:
        """The source host may have been killed when it had attached the volume, and before it could complete that."""
        try:
            return self._request("POST", path("/v3/attachments"), {"attachment": wanted})
        except errors.BadRequest:
            status = self._request("GET", path("/v3/volumes/{id}", wanted["volume_uuid"]))["volume"]["status"]
            if status == "extending":
                raise errors.ServiceUnavailable(part=f"volume {wanted['volume_uuid']}, which is being extended,") from None
            if status not in ("reserved", "attaching"):
                raise
        self.complete(former)
        return self._request("POST", path("/v3/attachments"), {"attachment": wanted})

    def release(self, instance: dict, *, check: Check | None) -> None:
        """End the attachments of a server's volumes: all of them, or without ``check`` those alone that are this host's.

        :param check: raises Superseded if the server belongs to another host by now
        """
        if check and not instance["block_devices"]:
            return
        only = {} if check else {"attached_host": self.connector["host"]}
        found = server_resources.attachments_of(self.rest, instance["uuid"], **only)
        if found and check:
            check()
        for each in found:
            server_resources.end_attachment(self.rest, each)

    def attachments_on_host(self, volume_id: str) -> list[dict]:
        """[{"id", "instance" (the server's id)}]: a volume's attachments to this host."""
        query = {"all_tenants": 1, "volume_id": volume_id, "attached_host": self.connector["host"]}
        return self._request("GET", path("/v3/attachments", query=query))["attachments"]

    def wait_created(self, volume_id: str, *, is_cancelled: collections.abc.Callable[[], bool], timeout_s: float = 600) -> None:
        """Until a volume that is being made is there.

        :param is_cancelled: whether the server is to be deleted, so that nobody needs the volume any more
        :raises StepFailed: it could not be made, or not in time
        :raises Superseded: ``is_cancelled`` said so
        """
        deadline, delay = time.monotonic() + timeout_s, 0.1
        while True:
            try:
                status = self._request("GET", path("/v3/volumes/{id}", volume_id))["volume"]["status"]
            except errors.NotFound as error:
                raise errors.StepFailed(reason=f"Volume {volume_id} could not be found.") from error
            if status not in ("creating", "downloading"):
                break
            if is_cancelled():
                raise errors.Superseded()
            if time.monotonic() > deadline:
                raise errors.StepFailed(reason=f"Volume {volume_id} did not finish being created in {timeout_s:.0f} s.")
            time.sleep(delay)
            delay = min(delay * 1.5, 1)
        if status == "error":
            raise errors.StepFailed(reason=f"Volume {volume_id} did not finish being created: its status is error.")

    def info(self, attachment_id: str, device: str, *, io_paused: bool = False, complete: bool = False) -> dict:
        """Connection info of an existing attachment; a lost export is recreated.

        :param io_paused: the guest does no I/O now, so that the export may be reopened with the volume's current size
        :param complete: whether a volume that was only reserved is in use from now on
        """
        connector = {**self.connector, "mountpoint": device, **({"io_paused": True} if io_paused else {})}
        made = self._request("PUT", path("/v3/attachments/{id}", attachment_id), {"attachment": {"connector": connector}})
        if complete and made["attachment"]["status"] != "attached":
            self.complete(attachment_id)
        return seal_chap(self.vault, made["attachment"]["connection_info"])

    def size_gb(self, volume_id: str) -> int:
        return self._request("GET", path("/v3/volumes/{id}", volume_id))["volume"]["size"]

    def extended(self, volume_id: str, *, error: bool, size_gb: int | None = None) -> None:
        """Report that the guest sees a volume's new size, or that it cannot. Repeatable.

        :param size_gb: the size that it was to see, if that is known. If the volume was extended further since, it is not settled
        """
        meant = {} if size_gb is None else {"new_size": size_gb}
        try:
            self._request("POST", path("/v3/volumes/{id}/action", volume_id), {
                "os-extend_volume_completion": {"error": error, **meant}})
        except (errors.NotFound, errors.BadRequest) as refused:
            LOG.info("the volume service does not expect an answer for volume %s: %s", volume_id, refused)

    def roll_detaching(self, volume_id: str) -> None:
        """The volume stays attached. Only multiattach volumes have been said to be detached."""
        try:
            self._request("POST", path("/v3/volumes/{id}/action", volume_id), {"os-roll_detaching": {}})
        except (errors.NotFound, errors.BadRequest) as refused:
            LOG.debug("volume %s is not being detached: %s", volume_id, refused)

    def complete(self, attachment_id: str) -> None:
        server_resources.complete_attachment(self.rest, attachment_id)

    def _snapshots_for(self, image_id: str, volume_id: str) -> list[dict]:
        found = self._request("GET", path("/v3/snapshots/detail", query={"all_tenants": 1, "volume_id": volume_id}))["snapshots"]
        return [s for s in found if s["metadata"].get("image_id") == image_id]

    def snapshot(self, image_id: str, volume_ids: list[str], *, is_cancelled: collections.abc.Callable[[], bool],
                 timeout_s: float = 600) -> dict[str, dict]:
        """Create snapshots of volumes for an image, in the volumes' project. Repeatable.

        :param is_cancelled: whether the server is to be deleted, so that nobody needs them any more
        :returns: {volume id: {"id", "size" (GiB)}}
        :raises StepFailed: one could not be made
        :raises Superseded: ``is_cancelled`` said so
        """
        try:
            for volume_id in volume_ids:
                if not self._snapshots_for(image_id, volume_id):
                    self._request("POST", path("/v3/snapshots"), {"snapshot": {
                        "volume_id": volume_id, "force": True, "name": f"snapshot for image {image_id}",
                        "metadata": {"image_id": image_id}}})
        except errors.Error as error:
            if error.status >= 500:
                raise
            raise errors.StepFailed(reason=f"A volume could not be snapshotted: {error}") from error
        deadline = time.monotonic() + timeout_s
        while True:
            made = {v: self._snapshots_for(image_id, v) for v in volume_ids}
            states = {each[0]["status"] if each else "error" for each in made.values()}
            if states <= {"available"}:
                return {v: {"id": each[0]["id"], "size": each[0]["size"]} for v, each in made.items()}
            if "error" in states or time.monotonic() > deadline:
                raise errors.StepFailed(reason="A snapshot of a volume of the server could not be made.")
            if is_cancelled():
                raise errors.Superseded()
            time.sleep(0.2)

    def drop_snapshots(self, image_id: str, volume_ids: list[str], timeout_s: float = 60) -> None:
        """Delete them again, including those that are still being created. Repeatable. :raises StepFailed: they could not be
        deleted"""
        deadline = time.monotonic() + timeout_s
        while left := [s for v in volume_ids for s in self._snapshots_for(image_id, v)]:
            for each in left:
                if each["status"] in ("available", "error", "error_deleting"):
                    with contextlib.suppress(errors.NotFound, errors.BadRequest):
                        self._request("DELETE", path("/v3/snapshots/{id}", each["id"]))
            if time.monotonic() > deadline:
                raise errors.StepFailed(reason="Snapshots that were created for an image could not be deleted.")
            time.sleep(0.2)
