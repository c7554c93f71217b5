"""An image of a volume-backed server: it has no data, but refers to snapshots of the server's volumes."""

import json

from common import images
from common.rest import path
from compute_agent.tasks.snapshot import ABANDON_TIMEOUT_S, Snapshot
from conductor.messages import BlockDevice


class SnapshotVolumes(Snapshot):
    """State: as for ``Snapshot``, and {"devices": the server's attached block devices}.

    The guest is paused while the snapshots are created, so that they are consistent. They carry the image's id in their metadata,
    by which a repeated step and the undo find them. As in OpenStack, they outlive the image.
    """

    name = "volumes_snapshot"
    shapes = {"devices": list[BlockDevice]}
    steps = ("freeze", "copy", "thaw", "describe")

    def record_unreadable(self, uuid):
        """Snapshots may be left, which only the audit shows."""
        super().record_unreadable(uuid)
        return False

    def drop_unfilled(self, state):
        unfilled = super().drop_unfilled(state)
        if unfilled:
            self.agent.volumes.drop_snapshots(state["image_id"], [d["volume_id"] for d in state["devices"]], ABANDON_TIMEOUT_S)
        return unfilled

    def copy(self, state):
        return {"snapshots": self.agent.volumes.snapshot(state["image_id"], [d["volume_id"] for d in state["devices"]],
                                                          is_cancelled=lambda: self.is_cancelled(state))}

    def undo_copy(self, state):
        self.agent.volumes.drop_snapshots(state["image_id"], [d["volume_id"] for d in state["devices"]])

    def describe(self, state):
        """Source of the form: Nova's block_device_mapping, version 2, as images of servers carry it."""
        mapping = [{
            "source_type": "snapshot", "destination_type": "volume", "snapshot_id": state["snapshots"][d["volume_id"]]["id"],
            "volume_size": state["snapshots"][d["volume_id"]]["size"], "boot_index": d["boot_index"],
            "delete_on_termination": bool(d["delete_on_termination"]), "device_name": d["device_name"], "tag": d["tag"],
            "device_type": "disk", "disk_bus": "virtio", "volume_id": None, "image_id": None, "guest_format": None,
            "no_device": None, "volume_type": None} for d in state["devices"]]
        values = {"block_device_mapping": json.dumps(mapping), "bdm_v2": "True", "root_device_name": "/dev/vda"}
        self.agent.rest.request(
            "PATCH", "image", path("/v2/images/{id}", state["image_id"]),
            body=json.dumps([{"op": "add", "path": f"/{name}", "value": value} for name, value in values.items()]).encode(),
            headers={"Content-Type": "application/openstack-images-v2.1-json-patch"})
        self._file(state).touch()
        self.upload(state)

    def undo_describe(self, state):
        """The image first, because it must not refer to deleted snapshots."""
        images.drop(self.agent.rest, state["image_id"])
        self.undo_extract(state)
