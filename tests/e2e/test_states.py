"""A real guest paused, suspended, kept as an image, rebuilt and rescued; a real volume snapshotted and copied."""

import pytest
import sqlalchemy as sa

from common.periodic import wait_for
from conductor.db import models

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def guest(real):
    server = real.boot("stateful")
    outside = real.floating_ip(server["id"])
    real.ssh(outside, "true")
    yield server["id"], outside
    real.delete(server["id"])
    real.audit()


def act(real, server: str, status: str, name: str, arguments=None):
    answer = real.client.call("compute", "POST", f"/servers/{server}/action", {name: arguments})

    def settled():
        shown = real.client.call("compute", "GET", f"/servers/{server}")["server"]
        return shown if shown["OS-EXT-STS:task_state"] is None else None
    shown = wait_for(settled, 60, what=f"{name} to end")
    assert shown["status"] == status, shown.get("fault")
    return answer


def test_pause_and_suspend_keep_what_runs(real, guest):
    server, outside = guest
    real.ssh(outside, "echo here > /tmp/memory")
    for there, status, back in (("pause", "PAUSED", "unpause"), ("suspend", "SUSPENDED", "resume")):
        act(real, server, status, there)
        act(real, server, "ACTIVE", back)
        assert real.ssh(outside, "cat /tmp/memory").strip() == "here"  # /tmp is memory alone


def test_an_image_holds_what_the_disk_held(real, guest):
    server, outside = guest
    real.ssh(outside, "echo kept > /root/kept; sync")
    image = act(real, server, "ACTIVE", "createImage", {"name": "kept"})["image_id"]
    copy = real.boot("copy", imageRef=image)
    assert real.ssh(real.floating_ip(copy["id"]), "cat /root/kept").strip() == "kept"
    real.delete(copy["id"])
    real.client.call("image", "DELETE", f"/images/{image}")


def test_rescue_shows_the_own_disk_beside(real, guest):
    server, outside = guest
    act(real, server, "RESCUE", "rescue", {"rescue_image_ref": real.image})
    partitions = wait_for(lambda: real.ssh(outside, "cat /proc/partitions", timeout_s=120), 120, what="the rescue guest")
    assert " vda" in partitions and " vdb" in partitions
    act(real, server, "ACTIVE", "unrescue")
    assert " vdb" not in real.ssh(outside, "cat /proc/partitions") and real.ssh(outside, "cat /root/kept").strip() == "kept"


def test_rebuild_gives_a_new_disk_and_keeps_the_address(real, guest):
    server, outside = guest
    act(real, server, "ACTIVE", "rebuild", {"imageRef": real.image, "name": "anew"})
    assert real.ssh(outside, "hostname; ls /root/kept 2>/dev/null || true").split() == ["anew"]


def test_copies_of_a_volume_hold_its_data(real, guest):
    server, outside = guest

    def call(method, path, body=None):
        return real.client.call("volume", method, path, body)

    def made(kind: str, body: dict) -> str:
        identity = call("POST", f"/{kind}s", {kind: body})[kind]["id"]
        wait_for(lambda: call("GET", f"/{kind}s/{identity}")[kind]["status"] == "available", 60, what=f"the {kind}")
        return identity

    def attached(volume: str, command: str) -> str:
        path = f"/servers/{server}/os-volume_attachments"
        real.client.call("compute", "POST", path, {"volumeAttachment": {"volumeId": volume}})
        wait_for(lambda: real.volume_status(volume) == "in-use", 60, what="the attachment")
        # The guest sees it a moment later; who writes before that makes a plain file.
        wait_for(lambda: " vdb" in real.ssh(outside, "cat /proc/partitions"), 20, what="the guest to see the volume")
        text = real.ssh(outside, command)
        real.client.call("compute", "DELETE", f"{path}/{volume}")
        wait_for(lambda: real.volume_status(volume) == "available", 90, what="the detachment")
        return text
    source = made("volume", {"size": 1})
    attached(source, "printf first > /dev/vdb; sync")
    snapshot = made("snapshot", {"volume_id": source})
    attached(source, "printf later > /dev/vdb; sync")
    of_snapshot, of_volume = made("volume", {"snapshot_id": snapshot, "size": 2}), made("volume", {"source_volid": source})
    assert attached(of_snapshot, "head -c 5 /dev/vdb; grep -c 2097152 /proc/partitions") == "first1\n"
    assert attached(of_volume, "head -c 5 /dev/vdb") == "later"
    for volume in (of_snapshot, of_volume):
        call("DELETE", f"/volumes/{volume}")
    call("DELETE", f"/volumes/{source}?cascade=true")
    wait_for(lambda: not [v for v in call("GET", "/volumes")["volumes"] if v["id"] in (source, of_snapshot, of_volume)], 30,
             what="the volumes to go")


def stood_still_s(state: str) -> list[float]:
    """For how long each extension paused the guest: the API rounds to seconds."""
    events = models.instance_events
    with sa.create_engine(f"sqlite:///{state}/db/compute.sqlite").connect() as connection:
        found = {name: connection.execute(sa.select(events.c[column]).where(
            events.c.event == f"extend_volume_{name}").order_by(events.c.start_time)).scalars().all()
            for name, column in (("freeze", "start_time"), ("thaw", "finish_time"))}
    return [round((thaw - freeze).total_seconds(), 3) for freeze, thaw in zip(found["freeze"], found["thaw"], strict=True)]


def test_a_volume_grows_under_a_guest_that_writes_to_it(real, guest):
    """The guest sees the new size at once, no write fails, and the new space is there."""
    server, outside = guest
    volume = real.client.call("volume", "POST", "/volumes", {"volume": {"name": "grows", "size": 1}})["volume"]["id"]
    wait_for(lambda: real.volume_status(volume) == "available", 20, what="the volume")
    path = f"/servers/{server}/os-volume_attachments"
    real.client.call("compute", "POST", path, {"volumeAttachment": {"volumeId": volume}})
    wait_for(lambda: real.volume_status(volume) == "in-use", 60, what="the attachment")

    def sectors() -> str:
        return real.ssh(outside, "cat /sys/block/vdb/size 2>/dev/null || true").strip()
    wait_for(lambda: sectors() == "2097152", 20, what="the guest to see the volume")
    real.ssh(outside, "touch /tmp/write; (while [ -e /tmp/write ]; do dd if=/dev/zero of=/dev/vdb bs=65536 count=64 "
                      "conv=fsync 2>/dev/null || echo bad >> /tmp/bad; done) > /dev/null 2>&1 < /dev/null &")
    for size in (2, 3):
        real.client.call("volume", "POST", f"/volumes/{volume}/action", {"os-extend": {"new_size": size}})
        wait_for(lambda: real.volume_status(volume) == "in-use", 60, what="the volume in use again")
        assert sectors() == str(size * 2097152)
    assert real.client.call("volume", "GET", f"/volumes/{volume}")["volume"]["size"] == 3
    assert real.ssh(outside, "rm /tmp/write; sleep 1; cat /tmp/bad 2>/dev/null; dmesg | grep -i 'i/o error'; true") == ""
    assert real.ssh(outside, "printf here | dd of=/dev/vdb bs=4 seek=671088640 conv=fsync 2>/dev/null; "
                             "dd if=/dev/vdb bs=4 skip=671088640 count=1 2>/dev/null") == "here"
    actions = real.client.call("compute", "GET", f"/servers/{server}/os-instance-actions")["instanceActions"]
    assert sum(a["action"] == "extend_volume" for a in actions) == 2
    pauses = stood_still_s(real.state)
    print(f"the guest stood still for {pauses} s")
    assert len(pauses) == 2 and max(pauses) < 2
    # A guest that is off learns it when it starts.
    act(real, server, "SHUTOFF", "os-stop")
    real.client.call("volume", "POST", f"/volumes/{volume}/action", {"os-extend": {"new_size": 4}})
    wait_for(lambda: real.volume_status(volume) == "in-use", 60, what="the volume in use again")
    act(real, server, "ACTIVE", "os-start")
    wait_for(lambda: sectors() == str(4 * 2097152), 120, what="the guest to see four GiB")
    real.client.call("compute", "DELETE", f"{path}/{volume}")
    wait_for(lambda: real.volume_status(volume) == "available", 90, what="the detachment")
    real.client.call("volume", "DELETE", f"/volumes/{volume}")
    wait_for(lambda: volume not in str(real.client.call("volume", "GET", "/volumes")), 30, what="the volume to go")
