"""Several stores: uploads and imports into them, copies, deletion from one, what happens when one is away; and the cache."""

import hashlib
import json
import pathlib
import subprocess

import pytest

from common.periodic import wait_for
from deploy.audit import Auditor
from tests.conftest import FakeCloud, new_member
from tests.functional.test_image_import import send, settled
from tests.functional.test_stories import refused
from tests.image import s3_server

CONF = """[image]
enabled_backends = near:file,second:file,far:s3,gone:s3,web:http
image_cache_dir = {state}/cache
conversion_format = raw
import_allowed_networks = 127.0.0.0/8
import_allowed_ports = {port}
[near]
weight = 30
[second]
filesystem_store_datadir = {state}/second
weight = 20
[far]
weight = 10
{far}
[gone]
{gone}
"""


@pytest.fixture(scope="module")
def mirror(tmp_path_factory, web):
    state = tmp_path_factory.mktemp("stores")
    with s3_server.running() as url:
        (state / "etc" / "image.conf.d").mkdir(parents=True)
        (state / "etc" / "image.conf.d" / "stores.conf").write_text(CONF.format(
            state=state, port=web.server_port, far="\n".join(s3_server.settings(url)),
            gone="\n".join(s3_server.settings("http://127.0.0.1:9"))))
        made = FakeCloud(state).start()
        yield made
        made.stop()


def get(mirror, path: str, headers=None, *, method="GET", status: int = 200):
    answer = mirror.client.pool.request(method, mirror.client.url("image") + path, headers={
        "X-Auth-Token": mirror.client.token, **(headers or {})})
    assert answer.status == status, answer.data
    return answer


def put(mirror, image: str, data: bytes, store: str | None = None, status: int = 204) -> None:
    answer = mirror.client.pool.request("PUT", f"{mirror.client.url('image')}/images/{image}/file", body=data, headers={
        "X-Auth-Token": mirror.client.token, "Content-Type": "application/octet-stream",
        **({"X-Image-Meta-Store": store} if store else {})})
    assert answer.status == status, answer.data


def nothing_left(mirror) -> list:
    return [f for f in Auditor(mirror.state).images() if f.what != "gone"]


def test_stores_are_told(mirror, call):
    found = {s["id"]: s for s in call("GET", "/info/stores")["stores"]}
    assert list(found)[:3] == ["near", "second", "far"] and found["web"]["read-only"] == "true"
    assert found["near"]["default"] == "true" and "default" not in found["far"]
    detail = json.dumps(call("GET", "/info/stores/detail"))
    assert '"type": "s3"' in detail and "secret" not in detail


def test_an_upload_goes_where_it_is_asked_for_and_the_cache_keeps_what_is_far(mirror, call, image):
    data = bytes(range(256)) * 40000
    put(mirror, image, data, "far")
    shown = call("GET", f"/images/{image}")
    assert (shown["stores"], shown["size"], shown["os_hash_value"]) == ("far", len(data), hashlib.sha512(data).hexdigest())
    assert shown["locations"][0]["url"].startswith("s3://") and shown["locations"][0]["metadata"] == {"store": "far"}
    part = get(mirror, f"/images/{image}/file", {"Range": "bytes=5000000-5000009"}, status=206)
    assert part.data == data[5000000:5000010]
    assert image not in [c["image_id"] for c in call("GET", "/cache")["cached_images"]], "a part is no copy"
    assert get(mirror, f"/images/{image}/file").data == data
    wait_for(lambda: call("GET", "/cache")["cached_images"], 30, what="the copy")
    assert get(mirror, f"/images/{image}/file").data == data
    kept = call("GET", "/cache")["cached_images"][0]
    assert (kept["image_id"], kept["size"], kept["hits"]) == (image, len(data), 1) and kept["last_accessed"] > 0
    call("DELETE", f"/cache/{image}")
    refused(404, mirror.client, "image", "DELETE", f"/cache/{image}")
    assert call("GET", "/cache") == {"cached_images": [], "queued_images": []}


def test_the_cache_fetches_what_it_is_asked_for(mirror, call, image):
    refused(400, mirror.client, "image", "PUT", f"/cache/{image}")
    refused(404, mirror.client, "image", "PUT", "/cache/no-such-image")
    put(mirror, image, b"z" * 4000, "far")
    call("PUT", f"/cache/{image}")
    wait_for(lambda: [c["image_id"] for c in call("GET", "/cache")["cached_images"]] == [image], 20, what="the copy")
    get(mirror, "/cache", {"x-image-cache-clear-target": "all"}, method="DELETE", status=400)
    get(mirror, "/cache", {"x-image-cache-clear-target": "queue"}, method="DELETE", status=204)
    assert call("GET", "/cache")["cached_images"]
    get(mirror, "/cache", method="DELETE", status=204)
    assert call("GET", "/cache") == {"cached_images": [], "queued_images": []}


def test_an_upload_to_a_store_that_is_none_or_away(mirror, call, image):
    put(mirror, image, b"x", "nowhere", 400)
    put(mirror, image, b"x", "web", 400)
    put(mirror, image, b"x", "gone", 503)
    assert call("GET", f"/images/{image}")["status"] == "queued"
    assert not list(pathlib.Path(mirror.state, "images").glob("*.part"))


def test_an_import_into_several_stores_and_out_of_them(mirror, call, patch, image):
    send(mirror, f"/images/{image}/stage", b"x" * 5000)
    call("POST", f"/images/{image}/import", {"method": {"name": "glance-direct"}, "stores": ["far", "near", "second"]})
    assert settled(call, image)["status"] == "success"
    shown = call("GET", f"/images/{image}")
    assert (shown["stores"], shown["os_glance_importing_to_stores"], shown["os_glance_failed_import"]) == (
        "near,second,far", "", "")
    urls = [each["url"] for each in shown["locations"]]
    assert len(set(urls)) == 3
    patch(image, {"op": "replace", "path": "/locations", "value": [
        {**each, "metadata": {"date": "today", "store": "gone"}} for each in shown["locations"]]})
    assert [(each["url"], each["metadata"]) for each in call("GET", f"/images/{image}")["locations"]] == [
        (each["url"], {"date": "today", **each["metadata"]}) for each in shown["locations"]], "its stores nobody says"
    refused(404, mirror.client, "image", "DELETE", f"/stores/gone/{image}")
    refused(404, mirror.client, "image", "DELETE", f"/stores/nowhere/{image}")
    for store, left in (("near", "second,far"), ("far", "second")):
        call("DELETE", f"/stores/{store}/{image}")
        assert call("GET", f"/images/{image}")["stores"] == left
        assert get(mirror, f"/images/{image}/file").data == b"x" * 5000
    refused(403, mirror.client, "image", "DELETE", f"/stores/second/{image}")
    assert nothing_left(mirror) == []


def test_a_copy_goes_where_the_image_is_not_yet(mirror, call, image):
    refused(409, mirror.client, "image", "POST", f"/images/{image}/import", {"method": {"name": "copy-image"}})
    put(mirror, image, b"c" * 7000)
    for stores, found in ((["far", "near"], "near,far"), (["near"], "near,far"), (["second"], "near,second,far")):
        call("POST", f"/images/{image}/import", {"method": {"name": "copy-image"}, "stores": stores})
        assert settled(call, image)["status"] == "success"
        shown = call("GET", f"/images/{image}")
        assert (shown["status"], shown["stores"], shown["os_glance_importing_to_stores"]) == ("active", found, "")
    assert nothing_left(mirror) == []


@pytest.mark.parametrize("must", [True, False])
def test_a_store_that_is_away_during_an_import(mirror, call, image, must):
    send(mirror, f"/images/{image}/stage", b"x" * 5000)
    call("POST", f"/images/{image}/import", {"method": {"name": "glance-direct"}, "stores": ["near", "gone", "far"],
                                             "all_stores_must_succeed": must})
    if must:
        assert settled(call, image)["status"] == "failure"
        shown = call("GET", f"/images/{image}")
        assert (shown["status"], shown["os_glance_failed_import"], shown["locations"]) == ("queued", "gone", [])
        assert nothing_left(mirror) == []
        return
    assert settled(call, image)["status"] == "success"
    shown = call("GET", f"/images/{image}")
    assert (shown["status"], shown["stores"], shown["os_glance_failed_import"]) == ("active", "near,far", "gone")


def test_an_image_of_a_region(mirror, call, patch, image):
    put(mirror, image, b"r" * 9000)
    patch(image, *({"op": "add", "path": path, "value": value} for path, value in (
        ("/hw_cpu_cores", "5"), ("/os_distro", "debian"), ("/speed", "88mph"))))
    made = call("POST", "/images", {"name": "there", "disk_format": "iso", "container_format": "ovf"})["id"]
    method = {"name": "glance-download", "glance_image_id": image, "glance_region": "RegionOne"}
    refused(400, mirror.client, "image", "POST", f"/images/{made}/import", {"method": {**method, "glance_image_id": "foo"}})
    call("POST", f"/images/{made}/import", {"method": {**method, "glance_region": "elsewhere"}})
    assert settled(call, made)["status"] == "failure" and call("GET", f"/images/{made}")["status"] == "queued"
    call("POST", f"/images/{made}/import", {"method": method})
    assert settled(call, made)["status"] == "success"
    shown = call("GET", f"/images/{made}")
    assert (shown["disk_format"], shown["container_format"], shown["hw_cpu_cores"], shown["os_distro"], shown["size"]) == (
        "raw", "bare", "5", "debian", 9000) and "speed" not in shown
    call("DELETE", f"/images/{made}")


def test_an_import_is_converted(mirror, call, tmp_path):
    disk = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "3M"], check=True)
    made = call("POST", "/images", {"name": "q", "disk_format": "qcow2", "container_format": "bare"})["id"]
    send(mirror, f"/images/{made}/stage", disk.read_bytes())
    call("POST", f"/images/{made}/import", {"method": {"name": "glance-direct"}})
    assert settled(call, made)["status"] == "success"
    shown = call("GET", f"/images/{made}")
    assert (shown["disk_format"], shown["size"], shown["virtual_size"]) == ("raw", 3 << 20, 3 << 20)
    assert shown["os_hash_value"] == hashlib.sha512(bytes(3 << 20)).hexdigest()
    call("DELETE", f"/images/{made}")
    assert nothing_left(mirror) == []


def test_locations_are_read_for_their_hashes(mirror, call, patch, web):
    data = b"w" * 6000
    web.answers["/located"] = (200, {}, data)
    url, right = web.url("/located"), hashlib.sha256(data).hexdigest()

    def new() -> str:
        return call("POST", "/images", {"name": "l", "disk_format": "raw", "container_format": "bare"})["id"]
    one, two, three = new(), new(), new()
    path = f"/images/{one}/locations"
    for wrong in ({"os_hash_algo": "sha512", "os_hash_value": right}, {"os_hash_value": right},
                  {"os_hash_algo": "md6", "os_hash_value": right}):
        refused(400, mirror.client, "image", "POST", path, {"url": url, "validation_data": wrong})
    refused(400, mirror.client, "image", "POST", path, {"url": "file:///etc/passwd"})
    call("POST", path, {"url": url, "validation_data": {"os_hash_algo": "sha256", "os_hash_value": right}})
    call("POST", f"/images/{two}/locations", {"url": url, "validation_data": {
        "os_hash_algo": "sha512", "os_hash_value": "beefdead" * 16}})
    call("POST", f"/images/{three}/locations", {"url": url})
    assert [settled(call, i)["status"] for i in (one, two, three)] == ["success", "failure", "success"]
    shown = [call("GET", f"/images/{i}") for i in (one, two, three)]
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert [(s["status"], s["os_hash_value"], s["checksum"], s["stores"]) for s in shown] == [
        ("active", right, md5, "web"), ("queued", None, None, "web"),
        ("active", hashlib.sha512(data).hexdigest(), md5, "web")]
    refused(409, mirror.client, "image", "POST", path, {"url": url})
    assert len(patch(two, {"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {}}})["locations"]) == 1
    assert mirror.client.call("image", "GET", path) == [{"url": url, "metadata": {}}]
    for made in (one, two, three):
        call("DELETE", f"/images/{made}")


def test_the_registry_takes_no_data_and_no_word_of_it(mirror, call):
    base = f"http://127.0.0.1:{9191 + mirror.offset}"

    def ask(method: str, path: str, body=None, status: int = 200):
        answer = mirror.client.pool.request(method, base + path, body=json.dumps(body) if body else None, headers={
            "X-Auth-Token": mirror.client.token, "Content-Type": "application/json"})
        assert answer.status == status, answer.data
        return json.loads(answer.data) if answer.data and status == 200 else None
    made = ask("POST", "/images", {"image": {
        "name": "r", "disk_format": "raw", "container_format": "bare", "status": "active", "size": 5, "is_public": False,
        "location": "file:///etc/passwd", "checksum": "0" * 32, "properties": {"a": "b"}}})["image"]
    assert (made["status"], made["size"], made["checksum"], made["properties"]) == ("queued", 0, None, {"a": "b"})
    path = f"/images/{made['id']}"
    assert call("GET", path)["locations"] == []
    ask("PUT", path, {"image": {"status": "active", "name": "s"}})
    assert ask("GET", path)["image"]["name"] == "s" and ask("GET", path)["image"]["status"] == "queued"
    assert made["id"] in [i["id"] for i in ask("GET", "/images/detail")["images"]] + [
        i["id"] for i in ask("GET", "/images")["images"]]
    ask("POST", "/images", {"image": {"properties": {"status": "active"}}}, status=403)
    ask("PUT", f"{path}/members/one", status=204)
    assert ask("GET", f"{path}/members")["members"] == [{"member_id": "one", "can_share": False}]
    ask("DELETE", path)
    ask("GET", path, status=404)


def test_what_is_not_for_everybody(mirror, call, image):
    put(mirror, image, b"x" * 100)
    stranger = new_member(mirror)
    own = stranger.call("image", "POST", "/images", {"name": "own", "disk_format": "raw", "container_format": "bare"})["id"]
    for method, path, body in (("GET", "/cache", None), ("PUT", f"/cache/{own}", None), ("DELETE", "/cache", None),
                               ("GET", "/info/stores/detail", None), ("GET", f"/images/{own}/locations", None),
                               ("POST", f"/images/{own}/import", {"method": {"name": "copy-image"}, "all_stores": True})):
        refused(403, stranger, "image", method, path, body)
    for method, path, body in (("DELETE", f"/stores/near/{image}", None), ("GET", f"/images/{image}/tasks", None),
                               ("POST", f"/images/{image}/locations", {"url": "http://8.8.8.8/x"}),
                               ("POST", f"/images/{image}/import", {"method": {"name": "copy-image"}, "all_stores": True})):
        refused(404, stranger, "image", method, path, body)
    stranger.call("image", "DELETE", f"/images/{own}")
    assert set(stranger.call("image", "GET", "/info/usage")["usage"]) == {
        "image_count_total", "image_count_uploading", "image_size_total", "image_stage_total"}
