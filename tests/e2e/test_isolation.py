"""What a QEMU that was broken out of could reach: its own guest's disks, read-only images, and no secret of a volume."""

import json
import os
import pathlib
import re
import subprocess

import pytest

from common.periodic import wait_for
from deploy import host

pytestmark = pytest.mark.e2e


def qemu(server_id: str) -> int:
    """The process of a guest."""
    found = [int(p.name) for p in pathlib.Path("/proc").iterdir() if p.name.isdigit() and server_id.encode() in command_line(p)
             and b"qemu-system" in command_line(p)]
    assert len(found) == 1
    return found[0]


def command_line(process: pathlib.Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def content(path: pathlib.Path) -> bytes:
    """Of a file that is no guest's disk; of what vanishes meanwhile nothing."""
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_blocks < 1 << 17 else b""
    except OSError:
        return b""


def ids(pid: int) -> tuple[int, int]:
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"^Uid:\s+(\d+)", text, re.M)[0]), int(re.findall(r"^Gid:\s+(\d+)", text, re.M)[0])


def may(pid: int, mode: str, path) -> bool:
    """Whether a process with the ids of another opens a file."""
    uid, gid = ids(pid)
    words = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all",
             "/bin/sh", "-c", {"rb": ': <"$1"', "r+b": ': <>"$1"', "w": ': >"$1"'}[mode], "sh", str(path)]
    return subprocess.run(words, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def pair(real):
    made = [real.boot(name, config_drive=True)["id"] for name in ("one", "two")]
    yield made
    for server_id in made:
        real.delete(server_id)


def check(real, one: str, two: str) -> None:
    homes = {s: pathlib.Path(real.state, "instances", s) for s in (one, two)}
    a, b = qemu(one), qemu(two)
    assert ids(a)[0] != ids(b)[0] and 0 not in (*ids(a), *ids(b))
    for server_id, own, other in ((one, a, b), (two, b, a)):
        home = homes[server_id]
        for name, mode in (("disk", "r+b"), ("disk.config", "rb")):
            assert may(own, mode, home / name)
            assert not may(other, "rb", home / name)
        for key in pathlib.Path("/var/lib/libvirt/qemu").glob("domain-*/master-key.aes"):
            assert may(own, "rb", key) == (key.stat().st_uid == ids(own)[0])
        for name in ("disks.json", "user", "console.log"):
            assert not may(own, "rb", home / name) and not may(other, "rb", home / name)
        assert not may(own, "w", home / "new") and not may(own, "rb", pathlib.Path(real.state, "etc", "pileus.conf"))
        base = json.loads((home / "disks.json").read_text())["root"]["base"]
        assert may(own, "rb", base) and not may(own, "r+b", base)


def act(real, server_id: str, action: dict, status: str) -> None:
    real.client.call("compute", "POST", f"/servers/{server_id}/action", action)

    def settled():
        shown = real.client.call("compute", "GET", f"/servers/{server_id}")["server"]
        return shown["status"] == status and shown["OS-EXT-STS:task_state"] is None
    wait_for(settled, 60, what=f"{action}")


def test_one_guests_process_cannot_open_anothers_disk(real, pair):
    check(real, *pair)
    act(real, pair[0], {"reboot": {"type": "HARD"}}, "ACTIVE")
    check(real, *pair)
    act(real, pair[0], {"suspend": None}, "SUSPENDED")
    act(real, pair[0], {"resume": None}, "ACTIVE")
    act(real, pair[1], {"rescue": {"rescue_image_ref": real.image}}, "RESCUE")
    rescue = pathlib.Path(real.state, "instances", pair[1], "disk.rescue")
    assert may(qemu(pair[1]), "r+b", rescue) and not may(qemu(pair[0]), "rb", rescue)
    act(real, pair[1], {"unrescue": None}, "ACTIVE")
    check(real, *pair)
    assert real.console(pair[0]) is not None


def test_an_image_is_made_of_a_disk_by_its_own_user(real, pair):
    real.client.call("compute", "POST", f"/servers/{pair[0]}/action", {"createImage": {"name": "of-one"}})
    wait_for(lambda: (i := real.client.find("image", "images", "of-one")) and i["status"] == "active", 90, what="the image")
    real.client.call("image", "DELETE", f"/images/{real.client.find('image', 'images', 'of-one')['id']}")
    wait_for(lambda: not os.listdir(pathlib.Path(real.state, "snapshots")), 20, what="the temporary disk to go")


def test_a_volumes_secret_is_in_no_process_file_or_definition(real, pair):
    made = real.client.call("volume", "POST", "/volumes", {"volume": {"name": "secret", "size": 1}})["volume"]["id"]
    wait_for(lambda: real.volume_status(made) == "available", 30, what="the volume")
    real.client.call("compute", "POST", f"/servers/{pair[0]}/os-volume_attachments", {"volumeAttachment": {"volumeId": made}})
    wait_for(lambda: real.volume_status(made) == "in-use", 60, what="the attachment")
    from common import conf, db
    from common.vault import open_chap
    from volume.conf import OPTS
    from volume.db import models
    from volume.secrets import vault_of
    loaded = conf.load("volume", OPTS, real.state)
    database = db.Database("volume", loaded.database.connection or f"sqlite:///{real.state}/db/volume.sqlite")
    with database.reader() as connection:
        info = connection.execute(models.attachments.select().where(models.attachments.c.volume_id == made)).mappings().one()
    secret = open_chap(vault_of(loaded), info["connection_info"]["data"])["auth_password"].encode()
    assert len(secret) == 32
    for process in pathlib.Path("/proc").iterdir():
        assert not process.name.isdigit() or secret not in command_line(process)
    for top in (real.state, "/etc/libvirt", "/var/log/libvirt"):
        for path in pathlib.Path(top).rglob("*"):
            assert secret not in content(path), path
    domain = host.run("virsh", "dumpxml", "--security-info", f"instance-{pair[0]}").stdout
    assert secret.decode() not in domain
    # It is libvirt's in memory alone: when that was restarted, the next start of the guest brings it again.
    act(real, pair[0], {"suspend": None}, "SUSPENDED")
    for line in host.run("virsh", "secret-list").stdout.splitlines():
        if made in line:
            host.run("virsh", "secret-undefine", line.split()[0])
    act(real, pair[0], {"resume": None}, "ACTIVE")
    assert real.volume_status(made) == "in-use"
    real.client.call("compute", "DELETE", f"/servers/{pair[0]}/os-volume_attachments/{made}")
    wait_for(lambda: real.volume_status(made) == "available", 90, what="the detachment")
    real.client.call("volume", "DELETE", f"/volumes/{made}")
