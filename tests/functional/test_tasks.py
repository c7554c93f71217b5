"""Every task, every step: failed, run twice, and killed; afterwards the audit finds nothing left over."""

import json
import pathlib

import pytest

from common.periodic import wait_for
from compute_agent.tasks.attach import Attach
from compute_agent.tasks.boot import Boot
from compute_agent.tasks.delete import Delete
from compute_agent.tasks.detach import Detach
from compute_agent.tasks.extend_volume import ExtendVolume as ShowExtended
from compute_agent.tasks.snapshot import Snapshot
from compute_agent.tasks.snapshot_volumes import SnapshotVolumes
from deploy.audit import Auditor
from tests.conftest import FakeCloud
from volume.tasks.create import CreateVolume
from volume.tasks.delete import DeleteVolume
from volume.tasks.extend import ExtendVolume
from volume.tasks.reimage import ReimageVolume
from volume.tasks.snapshot import CreateSnapshot, DeleteSnapshot
from volume.tasks.upload import UploadVolume

CASES = [(t, s, m) for t in (Boot, Delete, Attach, Detach, CreateVolume, DeleteVolume, CreateSnapshot, DeleteSnapshot,
                             ExtendVolume, ShowExtended, Snapshot, SnapshotVolumes, ReimageVolume, UploadVolume) for s in t.steps
         for m in ("fail", "twice", "kill")]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    made = FakeCloud(tmp_path_factory.mktemp("faulty"), "compute.compute.build_resend_s=2", "volume.volume.resend_after_s=2",
                     "volume.volume.enable_force_upload=true", "pileus.DEFAULT.report_interval=1",
                     module="tests.functional.faulty_cloud").start()
    yield made
    made.stop()


class Story:
    """What a user does while a step is sabotaged, and what must be true in the end."""

    def __init__(self, faulty: FakeCloud):
        self.faulty = faulty

    def call(self, *args, **kwargs):
        """Ask, and ask again while the cloud is being restarted."""
        def once():
            try:
                return (self.faulty.client.call(*args, **kwargs),)
            except RuntimeError as error:
                if " 404 " in str(error) and args[1] == "DELETE":
                    return (None,)
                raise
            except Exception:  # noqa: BLE001 the process was killed
                self.revive()
                return None
        return wait_for(once, 60, what="an answer")[0]

    def revive(self) -> None:
        if self.faulty.process.poll() is not None:
            self.faulty.start()

    def sabotage(self, task, step, mode) -> None:
        pathlib.Path(self.faulty.state, "inject.json").write_text(
            json.dumps({"task": task.name, "step": step, "mode": mode}))

    def volume(self) -> str:
        made = self.call("volume", "POST", "/volumes", {"volume": {"name": "v", "size": 1}})["volume"]
        self.settle_volume(made["id"])
        return made["id"]

    def settle_volume(self, volume_id: str):
        def done():
            self.revive()
            found = self.call("volume", "GET", "/volumes/detail")["volumes"]
            status = next((v["status"] for v in found if v["id"] == volume_id), "gone")
            return status if status in ("available", "in-use", "error", "gone", "error_deleting") else None
        return wait_for(done, 60, what=f"volume {volume_id} to settle")

    def server(self) -> str:
        network = next(n for n in self.call("network", "GET", "/networks")["networks"] if n["name"] == "private")
        image = self.call("image", "GET", "/images")["images"][0]
        made = self.call("compute", "POST", "/servers", {"server": {
            "name": "s", "imageRef": image["id"], "flavorRef": "42", "networks": [{"uuid": network["id"]}]}})["server"]
        return made["id"]

    def settle_server(self, server_id: str) -> str:
        def done():
            self.revive()
            found = self.call("compute", "GET", "/servers/detail")["servers"]
            server = next((s for s in found if s["id"] == server_id), {"status": "gone", "OS-EXT-STS:task_state": None})
            return None if server["OS-EXT-STS:task_state"] else server["status"]
        return wait_for(done, 60, what=f"server {server_id} to settle")

    def delete_server(self, server_id: str) -> None:
        self.call("compute", "DELETE", f"/servers/{server_id}")
        assert self.settle_server(server_id) == "gone"

    def delete_volume(self, volume_id: str) -> None:
        if self.settle_volume(volume_id) in ("available", "error", "error_deleting"):
            self.call("volume", "DELETE", f"/volumes/{volume_id}")
        assert self.settle_volume(volume_id) == "gone"

    def audit(self) -> None:
        def clean():
            self.revive()
            found = Auditor(self.faulty.state, stuck_s=0).run()
            self.left = [f"{f.kind} {f.what} {f.text}" for f in found]
            return not self.left
        try:
            wait_for(clean, 30, every_s=0.3, what="a clean audit")
        except TimeoutError:
            raise AssertionError(f"left over: {self.left}") from None


def boot(story, task, step, mode):
    story.sabotage(task, step, mode)
    server = story.server()
    status = story.settle_server(server)
    # One host: a build that failed there has nowhere else to go, and says why.
    # A restart of its agent is no failure of the host: the build goes on.
    assert status == {"twice": "ACTIVE", "fail": "ERROR", "kill": "ACTIVE"}[mode]
    if status == "ERROR":
        assert story.call("compute", "GET", f"/servers/{server}")["server"]["fault"]["message"]
    story.audit()
    story.delete_server(server)


def delete(story, task, step, mode):
    server = story.server()
    assert story.settle_server(server) == "ACTIVE"
    story.sabotage(task, step, mode)
    story.delete_server(server)


def attach(story, task, step, mode):
    server, volume = story.server(), story.volume()
    assert story.settle_server(server) == "ACTIVE"
    story.sabotage(task, step, mode)
    story.call("compute", "POST", f"/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})

    def settled():
        attached = story.call("compute", "GET", f"/servers/{server}/os-volume_attachments")["volumeAttachments"]
        return (story.settle_volume(volume) == "in-use") == bool(attached) and not pathlib.Path(
            story.faulty.state, "inject.json").exists()
    wait_for(settled, 60, what="both services to agree")
    story.audit()
    story.delete_server(server)
    story.delete_volume(volume)


def server_with_volume(story) -> tuple[str, str]:
    server, volume = story.server(), story.volume()
    assert story.settle_server(server) == "ACTIVE"
    story.call("compute", "POST", f"/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
    wait_for(lambda: story.settle_volume(volume) == "in-use", 30, what="the volume in use")
    return server, volume


def detach(story, task, step, mode):
    server, volume = server_with_volume(story)
    story.sabotage(task, step, mode)

    def gone():
        attached = story.call("compute", "GET", f"/servers/{server}/os-volume_attachments")["volumeAttachments"]
        if attached:
            try:
                story.call("compute", "DELETE", f"/servers/{server}/os-volume_attachments/{volume}")
            except RuntimeError as error:
                assert " 409 " in str(error)
        return not attached
    wait_for(gone, 60, every_s=1, what="the volume to be detached")
    assert story.settle_volume(volume) == "available"
    story.audit()
    story.delete_server(server)
    story.delete_volume(volume)


def create_volume(story, task, step, mode):
    story.sabotage(task, step, mode)
    volume = story.volume()
    status = story.settle_volume(volume)
    assert status == ("error" if mode == "fail" else "available")
    story.audit()
    story.delete_volume(volume)


def delete_volume(story, task, step, mode):
    volume = story.volume()
    story.sabotage(task, step, mode)
    story.delete_volume(volume) if mode != "fail" else story.call("volume", "DELETE", f"/volumes/{volume}")
    story.delete_volume(volume)


def settle_snapshot(story, snapshot: str) -> str:
    def done():
        story.revive()
        found = story.call("volume", "GET", "/snapshots")["snapshots"]
        status = next((s["status"] for s in found if s["id"] == snapshot), "gone")
        return status if status not in ("creating", "deleting") else None
    return wait_for(done, 60, what=f"snapshot {snapshot} to settle")


def create_snapshot(story, task, step, mode):
    volume = story.volume()
    story.sabotage(task, step, mode)
    snapshot = story.call("volume", "POST", "/snapshots", {"snapshot": {"volume_id": volume}})["snapshot"]["id"]
    assert settle_snapshot(story, snapshot) == ("error" if mode == "fail" else "available")
    story.audit()
    story.call("volume", "DELETE", f"/snapshots/{snapshot}")
    assert settle_snapshot(story, snapshot) == "gone"
    story.delete_volume(volume)


def delete_snapshot(story, task, step, mode):
    volume = story.volume()
    snapshot = story.call("volume", "POST", "/snapshots", {"snapshot": {"volume_id": volume}})["snapshot"]["id"]
    assert settle_snapshot(story, snapshot) == "available"
    story.sabotage(task, step, mode)
    story.call("volume", "DELETE", f"/snapshots/{snapshot}")
    if mode == "fail":
        assert settle_snapshot(story, snapshot) == "error_deleting"
        story.call("volume", "DELETE", f"/snapshots/{snapshot}")
    assert settle_snapshot(story, snapshot) == "gone"
    story.delete_volume(volume)


def extend(story, task, step, mode):
    """However it goes, the volume is in use again, with the size that it has, and the quota counts that."""
    server, volume = server_with_volume(story)
    story.sabotage(task, step, mode)
    story.call("volume", "POST", f"/volumes/{volume}/action", {"os-extend": {"new_size": 2}})
    assert story.settle_volume(volume) == "in-use"
    kept = pathlib.Path(story.faulty.state, "volumes", f"volume-{volume}").read_text()
    shown = story.call("volume", "GET", f"/volumes/{volume}")["volume"]["size"]
    assert (shown, kept) == ((1, "1") if step == "grow" and mode == "fail" else (2, "2"))
    used = story.call("volume", "GET", f"/os-quota-sets/{story.faulty.client.project_id}?usage=true")["quota_set"]["gigabytes"]
    found = story.call("volume", "GET", "/volumes/detail")["volumes"]
    assert used["in_use"] == sum(v["size"] for v in found)
    story.audit()
    guest = json.loads(pathlib.Path(story.faulty.state, "instances", server, "guest.json").read_text())
    assert guest["power"] == 1, "the guest runs on"
    if mode != "fail":
        assert guest["sizes"] == {volume: 2}
    story.delete_server(server)
    story.delete_volume(volume)


def reimage(story, task, step, mode):
    """A volume whose image could not be written is in error, and is written again."""
    volume, image = story.volume(), story.call("image", "GET", "/images")["images"][0]["id"]
    body = {"os-reimage": {"image_id": image}}
    story.sabotage(task, step, mode)
    story.call("volume", "POST", f"/volumes/{volume}/action", body, version="3.68")
    expected = "error" if mode == "fail" and step != "announce" else "available"
    assert story.settle_volume(volume) == expected
    if expected == "error":
        story.call("volume", "POST", f"/volumes/{volume}/action", body, version="3.68")
        assert story.settle_volume(volume) == "available"
    shown = story.call("volume", "GET", f"/volumes/{volume}")["volume"]
    assert shown["volume_image_metadata"]["image_id"] == image
    story.audit()
    story.delete_volume(volume)


def upload(story, task, step, mode):
    """The volume is as it was, and the image has all of it, or is gone; also a protected one, of a volume in use."""
    server, volume = server_with_volume(story)
    story.sabotage(task, step, mode)
    story.call("volume", "POST", f"/volumes/{volume}/action", {"os-volume_upload_image": {
        "image_name": "kept", "disk_format": "qcow2", "protected": True, "force": True}})
    assert story.settle_volume(volume) == "in-use"
    story.audit()  # until then the undo may be at work
    made = story.call("image", "GET", "/images?name=kept")["images"]
    # Who got no answer has asked again. What had got all of its data before a crash is kept.
    expected = {"fail": [[]], "twice": [["active"]]}.get(mode, [[], ["active"], ["active", "active"]])
    assert [i["status"] for i in made] in expected
    assert not list(pathlib.Path(story.faulty.state, "volume-uploads").iterdir())
    assert not list(pathlib.Path(story.faulty.state, "volumes").glob("snapshot-*"))
    for image in made:
        story.call("image", "PATCH", f"/images/{image['id']}", [{"op": "replace", "path": "/protected", "value": False}],
                   content_type="application/openstack-images-v2.1-json-patch")
        story.call("image", "DELETE", f"/images/{image['id']}")
    story.delete_server(server)
    story.delete_volume(volume)


def server_image(story, task, step, mode):
    of_server(story, task, step, mode, story.server())


def server_of_volume_image(story, task, step, mode):
    """Of a server that boots from a volume: what is kept are snapshots, and new servers get volumes of these."""
    image = story.call("image", "GET", "/images")["images"][0]
    network = next(n for n in story.call("network", "GET", "/networks")["networks"] if n["name"] == "private")
    server = story.call("compute", "POST", "/servers", {"server": {
        "name": "s", "flavorRef": "42", "networks": [{"uuid": network["id"]}], "block_device_mapping_v2": [
            {"source_type": "image", "uuid": image["id"], "destination_type": "volume", "volume_size": 1, "boot_index": 0,
             "delete_on_termination": True}]}})["server"]["id"]
    of_server(story, task, step, mode, server)


def of_server(story, task, step, mode, server):
    assert story.settle_server(server) == "ACTIVE"
    story.sabotage(task, step, mode)
    story.call("compute", "POST", f"/servers/{server}/action", {"createImage": {"name": "kept"}})
    assert story.settle_server(server) == "ACTIVE"
    made = story.call("image", "GET", "/images?name=kept")["images"]
    # After a crash the image is made, or given up with its task; never half. Who got no answer has asked again.
    expected = {"fail": [[]], "twice": [["active"]]}.get(mode, [[], ["active"], ["active", "active"]])
    assert [i["status"] for i in made] in expected
    story.audit()  # until then the undo may be at work
    made = story.call("image", "GET", "/images?name=kept")["images"]
    if task is SnapshotVolumes:
        check_snapshots(story, made)
    for image in made:
        story.call("image", "DELETE", f"/images/{image['id']}")
    story.delete_server(server)


def check_snapshots(story, made: list[dict]) -> None:
    """Each image has a snapshot, and no other is there; a server can be made of it."""
    found = story.call("volume", "GET", "/snapshots/detail")["snapshots"]
    named = [json.loads(i["block_device_mapping"])[0]["snapshot_id"] for i in made]
    assert sorted(s["id"] for s in found) == sorted(named) and {s["status"] for s in found} <= {"available"}
    for image in made:
        network = next(n for n in story.call("network", "GET", "/networks")["networks"] if n["name"] == "private")
        server = story.call("compute", "POST", "/servers", {"server": {
            "name": "again", "flavorRef": "42", "imageRef": image["id"], "networks": [{"uuid": network["id"]}]}})["server"]["id"]
        assert story.settle_server(server) == "ACTIVE"
        volumes = story.call("compute", "GET", f"/servers/{server}")["server"]["os-extended-volumes:volumes_attached"]
        volume = story.call("volume", "GET", f"/volumes/{volumes[0]['id']}")["volume"]
        assert volume["snapshot_id"] in named
        story.delete_server(server)
        story.settle_volume(volume["id"])
    for snapshot in found:
        story.call("volume", "DELETE", f"/snapshots/{snapshot['id']}")
    wait_for(lambda: not story.call("volume", "GET", "/snapshots")["snapshots"], 20, what="the snapshots to be gone")


STORIES = {Snapshot: server_image, SnapshotVolumes: server_of_volume_image, CreateSnapshot: create_snapshot,
           DeleteSnapshot: delete_snapshot, ExtendVolume: extend, ShowExtended: extend, ReimageVolume: reimage,
           UploadVolume: upload, Boot: boot, Delete: delete, Attach: attach, Detach: detach, CreateVolume: create_volume,
           DeleteVolume: delete_volume}


@pytest.mark.parametrize(("task", "step", "mode"), CASES, ids=lambda x: getattr(x, "name", x))
def test_nothing_is_left_over(faulty, task, step, mode):
    story = Story(faulty)
    story.revive()
    STORIES[task](story, task, step, mode)
    story.audit()
    assert not pathlib.Path(faulty.state, "inject.json").exists(), "the sabotaged step never ran"
