"""Properties that only some roles may make, see, change or take away."""

import json

import pytest

from image.protections import Protections
from tests.conftest import FakeCloud, new_member
from tests.functional.test_stories import refused

FILE = """
[^x_bill_.*]
create = admin
read = admin,billing
update = admin
delete = admin
[^x_note.*]
create = @
read = @
update = !
delete = !
[^open.*]
create = @
read = @
update = @
delete = @
"""
PATCH = "application/openstack-images-v2.1-json-patch"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    place = tmp_path_factory.mktemp("guarded")
    (place / "protections.conf").write_text(FILE)
    made = FakeCloud(place / "state", f"image.image.property_protection_file={place}/protections.conf").start()
    yield made
    made.stop()


def patch(client, image: str, *changes: dict) -> dict:
    return client.call("image", "PATCH", f"/images/{image}", raw=json.dumps(changes).encode(), content_type=PATCH)


def forbidden(client, image: str, *changes: dict) -> None:
    with pytest.raises(RuntimeError, match=" 403 "):
        patch(client, image, *changes)


def test_each_role_may_what_the_file_says(guarded):
    admin, user = guarded.client, new_member(guarded)
    base = {"name": "i", "disk_format": "raw", "container_format": "bare"}
    refused(403, user, "image", "POST", "/images", {**base, "x_bill_to": "me"})
    refused(403, user, "image", "POST", "/images", {**base, "of_no_section": "x"})
    image = user.call("image", "POST", "/images", {**base, "open_one": "1", "x_note": "n"})["id"]
    patch(admin, image, {"op": "add", "path": "/x_bill_to", "value": "him"})
    assert admin.call("image", "GET", f"/images/{image}")["x_bill_to"] == "him"
    seen = user.call("image", "GET", f"/images/{image}")
    assert "x_bill_to" not in seen and seen["x_note"] == "n"
    found = {q: len(user.call("image", "GET", f"/images?{q}")["images"]) for q in ("x_bill_to=him", "x_note=n")}
    assert found == {"x_bill_to=him": 0, "x_note=n": 1}, "what may not be seen may not be searched for"
    forbidden(user, image, {"op": "replace", "path": "/x_bill_to", "value": "nobody"})
    forbidden(user, image, {"op": "remove", "path": "/x_bill_to"})
    for client in (user, admin):
        forbidden(client, image, {"op": "replace", "path": "/x_note", "value": "other"})
    assert patch(user, image, {"op": "replace", "path": "/open_one", "value": "2"})["open_one"] == "2"
    old = user.pool.request("PUT", user.url("image").replace("/v2", "/v1") + f"/images/{image}", headers={
        "X-Auth-Token": user.token, "x-image-meta-property-open_two": "3"})
    assert json.loads(old.data)["image"]["properties"] == {"x_note": "n", "open_two": "3"}
    assert admin.call("image", "GET", f"/images/{image}")["x_bill_to"] == "him", "what he cannot see, he does not purge"
    user.call("image", "DELETE", f"/images/{image}")


@pytest.mark.parametrize("text", ["[a]\ncreate = @\n", "[a]\ncreate=@,admin\nread=@\nupdate=@\ndelete=@\n",
                                  "[(]\ncreate=@\nread=@\nupdate=@\ndelete=@\n", "[a]\ncreate=\nread=@\nupdate=@\ndelete=@\n"])
def test_a_file_that_is_wrong_is_said_at_the_start(tmp_path, text):
    (tmp_path / "file").write_text(text)
    with pytest.raises(ValueError, match="file"):
        Protections(str(tmp_path / "file"))
    with pytest.raises(ValueError, match="cannot be read"):
        Protections(str(tmp_path / "none"))
