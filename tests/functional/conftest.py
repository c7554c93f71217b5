"""What the tests of images share: a server of the web, and the client and an image of the module's own cloud, ``mirror``."""

import json

import pytest

from tests.image.test_web import Server

PATCH = "application/openstack-images-v2.1-json-patch"


@pytest.fixture(scope="module")
def web():
    made = Server()
    made.answers.update({"/disk": (200, {}, b"\1" * 3000), "/other": (200, {}, b"\2" * 3000), "/moved": (302, {
        "Location": "http://10.0.0.1/secret"}, b"")})
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def call(mirror):
    def inner(method, path, body=None, **more):
        return mirror.client.call("image", method, path, body, **more)
    return inner


@pytest.fixture
def image(call):
    """The id of a queued image."""
    made = call("POST", "/images", {"name": "i", "disk_format": "raw", "container_format": "bare"})
    assert made["locations"] == []
    yield made["id"]
    call("DELETE", f"/images/{made['id']}")


@pytest.fixture
def patch(call):
    def inner(image: str, *changes: dict) -> dict:
        return call("PATCH", f"/images/{image}", raw=json.dumps(changes).encode(), content_type=PATCH)
    return inner
