"""Images that are imported: staged, or fetched from a URL; and what is left when that goes wrong."""

import pathlib
import socket

import pytest

from common.periodic import wait_for
from deploy.audit import Auditor
from tests.conftest import FakeCloud
from tests.functional.test_stories import refused


@pytest.fixture(scope="module")
def mirror(tmp_path_factory, web):
    """A cloud that takes images from this test's server."""
    made = FakeCloud(tmp_path_factory.mktemp("mirror"), f"image.image.import_allowed_ports={web.server_port}",
                     "image.image.import_allowed_networks=127.0.0.0/8").start()
    yield made
    made.stop()


def send(mirror, path: str, data: bytes, status: int = 204) -> None:
    answer = mirror.client.pool.request("PUT", mirror.client.url("image") + path, body=data, headers={
        "X-Auth-Token": mirror.client.token, "Content-Type": "application/octet-stream"})
    assert answer.status == status, answer.data


def settled(call, image: str) -> dict:
    wait_for(lambda: all(t["status"] in ("success", "failure") for t in call("GET", f"/images/{image}/tasks")["tasks"]), 20,
             what="the import")
    return call("GET", f"/images/{image}/tasks")["tasks"][-1]


def files(mirror) -> list[str]:
    return sorted(str(p.relative_to(mirror.state)) for p in pathlib.Path(mirror.state, "images").rglob("*") if p.is_file())


def test_staged_data_becomes_an_image(mirror, call, image):
    assert set(call("GET", "/info/import")["import-methods"]["value"]) == {
        "glance-direct", "web-download", "glance-download", "copy-image"}
    refused(409, mirror.client, "image", "POST", f"/images/{image}/import", {"method": {"name": "glance-direct"}})
    send(mirror, f"/images/{image}/stage", b"x" * 5000)
    staged = call("GET", f"/images/{image}")
    assert (staged["status"], staged["size"], staged["checksum"]) == ("uploading", 5000, None)
    send(mirror, f"/images/{image}/stage", b"again", 409)
    call("POST", f"/images/{image}/import", {"method": {"name": "glance-direct"}})
    task = settled(call, image)
    assert task["status"] == "success" and task["image_id"] == image
    assert task["input"]["import_req"]["method"] == {"name": "glance-direct"}
    done = call("GET", f"/images/{image}")
    assert (done["status"], done["size"]) == ("active", 5000) and len(done["os_hash_value"]) == 128
    assert not [f for f in files(mirror) if "staging" in f]
    refused(409, mirror.client, "image", "POST", f"/images/{image}/import", {"method": {"name": "glance-direct"}})


def test_a_url_becomes_an_image(mirror, call, image, web):
    web.answers["/disk.raw"] = (200, {}, b"y" * 300000)
    asked = {"method": {"name": "web-download", "uri": web.url("/disk.raw")}}
    call("POST", f"/images/{image}/import", asked)
    assert settled(call, image)["status"] == "success"
    assert call("GET", f"/images/{image}")["size"] == 300000
    refused(409, mirror.client, "image", "POST", f"/images/{image}/import", asked)


@pytest.mark.parametrize(("path", "answer", "message"), [
    ("/gone", (404, {}, b""), "404"), ("/in", (302, {"Location": "http://10.0.0.1/"}, b""), "does not pass filtering"),
    ("/lies", (200, {}, b"QFI\xfb" + b"\xff" * 600), "")])
def test_what_fails_leaves_nothing(mirror, call, image, web, path, answer, message):
    web.answers[path] = answer
    before = files(mirror)
    call("POST", f"/images/{image}/import", {"method": {"name": "web-download", "uri": web.url(path)}})
    task = settled(call, image)
    assert task["status"] == "failure" and message in task["message"] and "10.0.0.1" not in task["message"]
    wait_for(lambda: call("GET", f"/images/{image}")["status"] == "queued", 30, what="the image to be queued again")
    assert files(mirror) == before


def test_requests_that_are_refused(mirror, call, image):
    path = f"/images/{image}/import"
    for status, body in ((400, {"method": {"name": "copy-video"}}), (400, {"method": {"name": "web-download"}}), (400, {}),
                         (400, {"method": {"name": "glance-direct", "uri": "http://x"}}), (400, {"method": "glance-direct"}),
                         (400, {"method": {"name": "web-download", "uri": "http://10.0.0.1/"}}),
                         (400, {"method": {"name": "web-download", "uri": "file:///etc/passwd"}}),
                         (400, {"method": {"name": "glance-direct"}, "stores": ["elsewhere"]})):
        refused(status, mirror.client, "image", "POST", path, body)
    assert call("GET", f"/images/{image}/tasks")["tasks"] == [] and call("GET", f"/images/{image}")["status"] == "queued"
    bare = call("POST", "/images", {"name": "no format"})["id"]
    refused(409, mirror.client, "image", "POST", f"/images/{bare}/import", {"method": {"name": "glance-direct"}})
    call("DELETE", f"/images/{bare}")
    for body in ({"name": "x", "os_glance_importing": "y"},):
        refused(403, mirror.client, "image", "POST", "/images", body)


def test_what_is_still_being_staged_is_not_imported(mirror, call, image):
    """Half of the data has arrived: an import must not take it for the image. When the rest never comes, nothing is left."""
    host, port = mirror.client.url("image").removeprefix("http://").split("/")[0].split(":")
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall(f"PUT /v2/images/{image}/stage HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {mirror.client.token}\r\n"
                     "Content-Type: application/octet-stream\r\nContent-Length: 4000000\r\n\r\n".encode() + b"x" * 2000000)
        wait_for(lambda: call("GET", f"/images/{image}")["status"] == "uploading", 10, what="the staging to begin")
        text = refused(409, mirror.client, "image", "POST", f"/images/{image}/import", {"method": {"name": "glance-direct"}})
        assert "still being staged" in text
    wait_for(lambda: call("GET", f"/images/{image}")["status"] == "queued", 10, what="the image to be queued again")
    assert not [f for f in files(mirror) if image in f]


def test_tasks_of_administrators(mirror, call, web):
    web.answers["/t"] = (200, {}, b"z" * 1000)
    task = call("POST", "/tasks", {"type": "import", "input": {"import_from": web.url("/t"), "import_from_format": "raw",
                                                               "image_properties": {"name": "by task"}}})
    assert task["type"] == "import" and task["status"] == "pending"
    wait_for(lambda: call("GET", f"/tasks/{task['id']}")["status"] == "success", 10, what="the task")
    done = call("GET", f"/tasks/{task['id']}")
    image = done["result"]["image_id"]
    assert call("GET", f"/images/{image}")["name"] == "by task"
    assert task["id"] in [t["id"] for t in call("GET", "/tasks?type=import&status=success")["tasks"]]
    call("DELETE", f"/images/{image}")
    refused(404, mirror.client, "image", "GET", "/tasks/nothing")
    refused(400, mirror.client, "image", "POST", "/tasks", {"type": "import", "input": {}})
    assert call("GET", "/schemas/task")["name"] == "task" and call("GET", "/schemas/tasks")["name"] == "tasks"


def test_the_audit_knows_what_is_staged(mirror, call, image):
    send(mirror, f"/images/{image}/stage", b"staged")
    auditor = Auditor(mirror.state)
    assert list(auditor.images()) == []
    orphan = pathlib.Path(mirror.state, "images", "staging", "00000000-0000-0000-0000-000000000000")
    orphan.write_bytes(b"left over")
    found = list(auditor.images())
    assert [f.what for f in found] == [f"staging/{orphan.name}"]
    found[0].repair()
    assert not orphan.exists() and list(auditor.images()) == []
