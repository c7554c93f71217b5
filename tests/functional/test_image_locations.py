"""Images whose bytes are somewhere on the web; and the API's version 1, which says everything in headers."""

import json

import pytest
import urllib3

from common.periodic import wait_for
from tests.conftest import FakeCloud, new_member
from tests.functional.conftest import PATCH
from tests.functional.test_stories import refused


@pytest.fixture(scope="module")
def mirror(tmp_path_factory, web):
    """A cloud that takes images from this test's server."""
    made = FakeCloud(tmp_path_factory.mktemp("locations"), f"image.image.import_allowed_ports={web.server_port}",
                     "image.image.import_allowed_networks=127.0.0.0/8").start()
    yield made
    made.stop()


def ask(mirror, method: str, path: str, headers: dict | None = None, body: bytes | None = None, status: int = 200):
    """A request by its headers: the answer, whole."""
    answer = mirror.client.pool.request(method, mirror.client.url("image").removesuffix("/v2") + path, body=body, headers={
        "X-Auth-Token": mirror.client.token, **(headers or {})})
    assert answer.status == status, answer.data
    return answer


def add(url: str, **more) -> dict:
    return {"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {}, **more}}


def test_a_url_is_an_images_data(mirror, web, call, patch, image):
    made = patch(image, add(web.url("/disk")))
    assert (made["status"], made["size"], made["os_hash_value"]) == ("active", 3000, None)
    assert made["locations"] == [{"url": web.url("/disk"), "metadata": {}}] == call("GET", f"/images/{image}")["locations"]
    assert ask(mirror, "GET", f"/v2/images/{image}/file").data == b"\1" * 3000
    part = ask(mirror, "GET", f"/v2/images/{image}/file", {"Range": "bytes=2990-"}, status=206)
    assert part.data == b"\1" * 10 and part.headers["Content-Range"] == "bytes 2990-2999/3000"
    # The first that answers gives the bytes.
    patch(image, add(web.url("/other")))
    web.answers["/disk"] = (500, {}, b"")
    try:
        assert ask(mirror, "GET", f"/v2/images/{image}/file").data == b"\2" * 3000
    finally:
        web.answers["/disk"] = (200, {}, b"\1" * 3000)
    patch(image, {"op": "remove", "path": "/locations/0"})
    call("PATCH", f"/images/{image}", raw=json.dumps([{"op": "replace", "path": "/visibility", "value": "public"}]).encode(),
         content_type=PATCH)
    stranger = new_member(mirror)
    assert "locations" not in stranger.call("image", "GET", f"/images/{image}"), "it may carry what lets one in"
    with pytest.raises(RuntimeError, match=" 403 "):
        stranger.call("image", "PATCH", f"/images/{image}", raw=json.dumps([add(web.url("/disk"))]).encode(), content_type=PATCH)
    assert [e["url"] for e in call("GET", f"/images/{image}")["locations"]] == [web.url("/other")]


def test_what_locations_are_refused(mirror, web, call, patch, image):
    for url in ("file:///etc/passwd", "gopher://info.cern.ch", "http://169.254.169.254/", web.url("/nothing"),
                web.url("/moved"), ""):
        with pytest.raises(RuntimeError, match=" 400 "):
            patch(image, add(url))
    with pytest.raises(RuntimeError, match=" 400 "):
        patch(image, {"op": "replace", "path": "/locations", "value": [{"url": f"file:///file/{image}", "metadata": {}}]})
    assert call("GET", f"/images/{image}")["status"] == "queued"
    refused(403, mirror.client, "image", "POST", "/images", {"name": "x", "locations": []})


def test_an_upload_keeps_its_file(mirror, web, call, patch, image):
    ask(mirror, "PUT", f"/v2/images/{image}/file", {"Content-Type": "application/octet-stream"}, b"x" * 10, status=204)
    found = call("GET", f"/images/{image}")["locations"]
    assert found == [{"url": f"file:///file/{image}", "metadata": {"store": "file"}}], "where the store is, is not told"
    patch(image, add(web.url("/disk")))
    for change in ({"op": "remove", "path": "/locations/0"}, {"op": "remove", "path": "/locations"}):
        with pytest.raises(RuntimeError, match=" 403 "):
            patch(image, change)
    with pytest.raises(RuntimeError, match=" 400 "):
        patch(image, {"op": "replace", "path": "/locations", "value": [{"url": web.url("/disk"), "metadata": {}}]})
    assert ask(mirror, "GET", f"/v2/images/{image}/file").data == b"x" * 10


def test_what_is_said_of_the_bytes(web, call, patch, image):
    facts = {"checksum": "1" * 32, "os_hash_algo": "sha512", "os_hash_value": "deadbeef" * 16}
    made = patch(image, add(web.url("/disk"), validation_data=facts))
    assert {k: made[k] for k in facts} == facts and "validation_data" not in made["locations"][0]
    with pytest.raises(RuntimeError, match=" 409 "):
        patch(image, add(web.url("/other"), validation_data={**facts, "checksum": "2" * 32}))
    patch(image, add(web.url("/other"), validation_data=facts))
    assert len(call("GET", f"/images/{image}")["locations"]) == 2


def test_an_answer_that_breaks_off_is_seen(mirror, web, patch, image):
    patch(image, add(web.url("/disk")))
    web.answers["/disk"] = (200, {}, b"\1" * 100)
    try:
        with pytest.raises((AssertionError, urllib3.exceptions.HTTPError)):  # an error, or an answer that ends too early
            ask(mirror, "GET", f"/v2/images/{image}/file")
    finally:
        web.answers["/disk"] = (200, {}, b"\1" * 3000)


# Version 1 -----------------------------------------------------------------------

HEADERS = {"x-image-meta-name": "Na%C3%AFve one", "x-image-meta-disk_format": "raw", "x-image-meta-container_format": "bare",
           "x-image-meta-property-kernel": "k1", "x-image-meta-min_ram": "40"}


def register(mirror, **more: str) -> dict:
    return json.loads(ask(mirror, "POST", "/v1/images", {**HEADERS, **more}, status=201).data)["image"]


def test_version_1_registers_uploads_and_deletes(mirror, call):
    made = register(mirror)
    one = f"/v1/images/{made['id']}"
    assert (made["name"], made["status"], made["size"], made["is_public"], made["min_ram"], made["properties"]) == (
        "Naïve one", "queued", 0, False, 40, {"kernel": "k1"})
    octets = {"Content-Type": "application/octet-stream"}
    ask(mirror, "PUT", one, {**octets, "x-image-meta-checksum": "0" * 32}, b"data", status=400)
    assert call("GET", f"/images/{made['id']}")["status"] == "queued"
    filled = json.loads(ask(mirror, "PUT", one, {**octets, "x-image-meta-property-more": "m"}, b"data").data)["image"]
    assert (filled["status"], filled["size"]) == ("active", 4) and filled["properties"] == {"kernel": "k1", "more": "m"}
    ask(mirror, "PUT", one, octets, b"again", status=409)
    got = ask(mirror, "GET", one)
    assert got.data == b"data" and got.headers["x-image-meta-status"] == "active"
    head = ask(mirror, "HEAD", one)
    assert head.headers["x-image-meta-property-kernel"] == "k1" and head.headers["x-image-meta-is_public"] == "False"
    changed = ask(mirror, "PUT", one, {"x-image-meta-property-only": "o", "x-image-meta-is_public": "True"})
    shown = json.loads(changed.data)["image"]
    assert shown["properties"] == {"only": "o"} and shown["is_public"], "properties are replaced, unless asked otherwise"
    ask(mirror, "PUT", one, {"x-image-meta-property-p": "p", "x-glance-registry-purge-props": "false"})
    assert set(call("GET", f"/images/{made['id']}")) >= {"only", "p"}
    ask(mirror, "DELETE", one)
    ask(mirror, "HEAD", one, status=404)


def test_version_1_lists(mirror):
    made = [register(mirror, **{"x-image-meta-name": name, "x-image-meta-property-kind": "test"}) for name in ("a", "b")]
    try:
        def names(query: str) -> list[str]:
            return [i["name"] for i in json.loads(ask(mirror, "GET", f"/v1/images/detail?{query}").data)["images"]]
        assert names("property-kind=test&sort_key=name&sort_dir=asc") == ["a", "b"] and names("name=b") == ["b"]
        assert names("property-kind=test&size_min=1") == [] and names("property-kind=test&limit=1&sort_key=name") == ["b"]
        short = json.loads(ask(mirror, "GET", "/v1/images?name=a").data)["images"]
        assert set(short[0]) == {"id", "name", "size", "checksum", "disk_format", "container_format"}
        ask(mirror, "GET", "/v1/images?sort_key=no", status=400)
    finally:
        for image in made:
            ask(mirror, "DELETE", f"/v1/images/{image['id']}")


def test_version_1_takes_data_from_elsewhere(mirror, web):
    there = register(mirror, **{"x-image-meta-location": web.url("/disk")})
    assert (there["status"], there["size"]) == ("active", 3000)
    copied = register(mirror, **{"x-glance-api-copy-from": web.url("/other")})
    assert copied["status"] in ("saving", "active")

    def status() -> str:
        return ask(mirror, "HEAD", f"/v1/images/{copied['id']}").headers["x-image-meta-status"]
    wait_for(lambda: status() == "active", 20, what="the copy")
    for image, data in ((there, b"\1" * 3000), (copied, b"\2" * 3000)):
        assert ask(mirror, "GET", f"/v1/images/{image['id']}").data == data
        ask(mirror, "DELETE", f"/v1/images/{image['id']}")


@pytest.mark.parametrize("headers", [
    {"x-image-meta-disk_format": "wrong"}, {"x-image-meta-container_format": "wrong"}, {"x-image-meta-min_ram": "many"},
    {"x-image-meta-is_public": "perhaps"}, {"x-image-meta-location": "file:///etc/passwd"},
    {"x-glance-api-copy-from": "http://169.254.169.254/"}, {"x-image-meta-id": "not-an-id"},
    {"x-image-meta-location": "http://8.8.8.8/", "x-glance-api-copy-from": "http://8.8.8.8/"}])
def test_version_1_refuses(mirror, call, headers):
    before = len(call("GET", "/images")["images"])
    ask(mirror, "POST", "/v1/images", {**HEADERS, **headers}, status=400)
    assert len(call("GET", "/images")["images"]) == before


def test_version_1_headers_cannot_be_forged(mirror, call):
    """A property may have any name and text in version 2; in a header it is one header still."""
    made = call("POST", "/images", {"name": "line\r\nx-evil: 1", "disk_format": "raw", "container_format": "bare",
                                    "a\r\nx-evil: 2": "b", "text": "c\r\nx-evil: 3"})["id"]
    head = ask(mirror, "HEAD", f"/v1/images/{made}").headers
    assert "x-evil" not in head and head["x-image-meta-name"] == "line x-evil: 1" and head["x-image-meta-property-text"]
    ask(mirror, "PUT", f"/v1/images/{made}", {"x-image-meta-property-status": "active"}, status=403)
    call("DELETE", f"/images/{made}")


def test_version_1_members(mirror):
    image = register(mirror)["id"]
    path = f"/v1/images/{image}/members"

    def known() -> list[str]:
        return [m["member_id"] for m in json.loads(ask(mirror, "GET", path).data)["members"]]
    for _ in range(2):
        ask(mirror, "PUT", f"{path}/one", status=204)
    assert known() == ["one"]
    shared = json.loads(ask(mirror, "GET", "/v1/shared-images/one").data)["shared_images"]
    assert shared == [{"image_id": image, "can_share": False}]
    ask(mirror, "PUT", path, {"Content-Type": "application/json"}, json.dumps({"memberships": [
        {"member_id": "two"}, {"member_id": "three", "can_share": True}]}).encode(), status=204)
    assert known() == ["three", "two"]
    ask(mirror, "DELETE", f"{path}/two", status=204)
    ask(mirror, "DELETE", f"{path}/two", status=404)
    ask(mirror, "PUT", "/v1/images/00000000-0000-0000-0000-000000000000/members/x", status=404)
    ask(mirror, "DELETE", f"/v1/images/{image}")
