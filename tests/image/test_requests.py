"""The image API without a cloud: its route tables on a database of the test's own, asked by callers that are made up."""

import json
import types
import urllib.parse

import pytest

from common import middleware
from common.context import Context
from common.wsgi import SERVICES, Request
from image import app
from image.db import models
from image.service import ImageApi

PATCH = "application/openstack-images-v2.1-json-patch"
ROLES = {"admin": ("admin", "manager", "member", "reader"), "member": ("member", "reader")}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    made = ImageApi.load(str(tmp_path_factory.mktemp("image")), {})
    assert made.db is not None
    models.METADATA.create_all(made.db.engine)
    made.notifier = types.SimpleNamespace(notify=lambda *args, **more: None, on=False)
    made.quota.limits = lambda project_id: dict.fromkeys(  # as identity says them
        ("image_size_total", "image_stage_total", "image_count_total", "image_count_uploading"), -1)
    made.imports.start = lambda *args: None  # imports stay where they begin
    SERVICES["image test"] = made
    yield made
    del SERVICES["image test"]


class Caller:
    def __init__(self, service, role: str, project_id: str, factory=app.app_factory):
        self.ctx = Context(user_id="u", user_domain_id="default", project_id=project_id, roles=ROLES[role])
        self.app = middleware.Faults(factory({"pileus_service": "image test"}), service, "image")

    def __call__(self, method: str, path: str, body=None, headers=None, content_type=None, **query):
        req = Request.blank(path + (f"?{urllib.parse.urlencode(query)}" if query else ""), method=method, headers=headers or {})
        if isinstance(body, bytes):
            req.body, req.content_type = body, content_type or "application/octet-stream"
        elif body is not None:
            req.json_body, req.content_type = body, content_type or "application/json"
        req.environ["pileus.context"] = self.ctx
        return req.get_response(self.app)

    def made(self, **values) -> str:
        answer = self("POST", "/v2/images", {"name": "i", "disk_format": "raw", "container_format": "bare", **values})
        assert answer.status_int == 201, answer.body
        return answer.json_body["id"]


@pytest.fixture
def owner(service):
    return Caller(service, "member", "p1")


@pytest.fixture
def other(service):
    return Caller(service, "member", "p2")


@pytest.fixture
def admin(service):
    return Caller(service, "admin", "p3")


def statuses(*answers) -> list[int]:
    return [answer.status_int for answer in answers]


def test_the_life_of_an_image(owner, other, admin):
    id = owner.made()
    path = f"/v2/images/{id}"
    data = f"{path}/file"
    assert statuses(owner("GET", data), owner("PUT", data, b"x" * 600), owner("PUT", data, b"y")) == [204, 204, 409]
    part = owner("GET", f"{path}/file", headers={"Range": "bytes=0-9"})
    assert (part.status_int, part.body, part.headers["Content-Range"]) == (206, b"x" * 10, "bytes 0-9/600")
    assert owner("GET", path).json_body["status"] == "active" and other("GET", path).status_int == 404
    assert id in [i["id"] for i in owner("GET", "/v2/images", limit=5, sort="name:asc", size_min=1).json_body["images"]]
    changed = owner("PATCH", path, [{"op": "replace", "path": "/name", "value": "j"}, {"op": "add", "path": "/a", "value": "b"}],
                    content_type=PATCH)
    assert (changed.json_body["name"], changed.json_body["a"]) == ("j", "b")
    assert owner("PATCH", path, [{"op": "replace", "path": "/size", "value": 1}], content_type=PATCH).status_int == 403
    assert statuses(owner("PUT", f"{path}/tags/t"), owner("DELETE", f"{path}/tags/t"), owner("DELETE", f"{path}/tags/t")) == [
        204, 204, 404]
    assert statuses(owner("POST", f"{path}/actions/deactivate"), admin("POST", f"{path}/actions/deactivate"),
                    owner("GET", f"{path}/file"), admin("POST", f"{path}/actions/reactivate")) == [204, 204, 403, 204]
    assert statuses(owner("DELETE", path), owner("GET", path)) == [204, 404]


def test_members(owner, other):
    id = owner.made(visibility="shared")
    members = f"/v2/images/{id}/members"
    assert owner("POST", members, {"member": "p2"}).json_body["status"] == "pending"
    assert statuses(owner("PUT", f"{members}/p2", {"status": "accepted"}), other("PUT", f"{members}/p2", {"status": "accepted"}),
                    other("GET", f"{members}/p2"), other("GET", f"/v2/images/{id}")) == [403, 200, 200, 200]
    assert [m["member_id"] for m in other("GET", members).json_body["members"]] == ["p2"]
    assert id in [i["id"] for i in other("GET", "/v2/images", visibility="shared").json_body["images"]]
    assert statuses(owner("DELETE", f"{members}/p2"), owner("GET", f"{members}/p2")) == [204, 404]


def test_imports_and_tasks(owner, admin):
    id = owner.made()
    path = f"/v2/images/{id}"
    assert statuses(owner("PUT", f"{path}/stage", b"z" * 600),
                    owner("POST", f"{path}/import", {"method": {"name": "glance-direct"}})) == [204, 202]
    assert owner("GET", path).json_body["status"] == "importing"
    task, = owner("GET", f"{path}/tasks").json_body["tasks"]
    assert statuses(owner("GET", "/v2/tasks"), admin("GET", "/v2/tasks", limit=1), admin("GET", f"/v2/tasks/{task['id']}")) == [
        403, 200, 200]
    assert owner("POST", f"{path}/import", {"method": {"name": "none"}}).status_int == 400
    assert owner("GET", "/v2/info/import").status_int == owner("GET", "/v2/info/stores").status_int == 200
    assert owner("GET", "/v2/info/usage").json_body["usage"]["image_count_total"]["limit"] == -1


def test_metadata_definitions(owner, admin):
    base = "/v2/metadefs/namespaces"
    space = {"namespace": "n", "visibility": "public", "objects": [{"name": "o", "properties": {}}], "tags": [{"name": "t"}],
             "properties": {"p": {"title": "P", "type": "string"}}, "resource_type_associations": [{"name": "OS::Nova::Server"}]}
    made = admin("POST", base, space)
    assert made.status_int == 201 and list(made.json_body["properties"]) == ["p"]
    assert owner("GET", f"{base}/n").json_body["objects"][0]["name"] == "o"
    assert [n["namespace"] for n in owner("GET", base, resource_types="OS::Nova::Server").json_body["namespaces"]] == ["n"]
    assert statuses(admin("POST", f"{base}/n/tags/u"), admin("POST", f"{base}/n/tags", {"tags": [{"name": "v"}]}),
                    admin("PUT", f"{base}/n/objects/o", {"name": "o2"}), owner("GET", f"{base}/n/objects/o"),
                    admin("DELETE", f"{base}/n/properties/p"), owner("POST", f"{base}/n/resource_types", {"name": "x"}),
                    admin("POST", f"{base}/n/resource_types", {"name": "x"})) == [201, 201, 200, 404, 204, 403, 201]
    assert [t["name"] for t in owner("GET", f"{base}/n/tags").json_body["tags"]] == ["v"]
    assert len(owner("GET", f"{base}/n/resource_types").json_body["resource_type_associations"]) == 2
    assert statuses(admin("PUT", f"{base}/n", {"namespace": "m"}), admin("DELETE", f"{base}/m"), owner("GET", f"{base}/m")) == [
        200, 204, 404]


def test_version_1_and_the_registry(service, owner):
    sent = {"x-image-meta-name": "old", "x-image-meta-disk_format": "raw", "x-image-meta-container_format": "bare",
            "x-image-meta-property-a": "b"}
    made = owner("POST", "/v1/images", b"x" * 600, headers=sent).json_body["image"]
    assert (made["status"], made["size"], made["properties"]) == ("active", 600, {"a": "b"})
    path = f"/v1/images/{made['id']}"
    assert owner("GET", path).body == b"x" * 600 and owner("HEAD", path).headers["x-image-meta-name"] == "old"
    assert owner("PUT", path, headers={"x-image-meta-name": "new"}).json_body["image"]["properties"] == {}
    assert [i["name"] for i in owner("GET", "/v1/images/detail", name="new").json_body["images"]] == ["new"]
    members = f"{path}/members"
    assert statuses(owner("PUT", f"{members}/p2"), owner("PUT", members, {"memberships": [{"member_id": "p3"}]}),
                    owner("DELETE", f"{members}/p3")) == [204, 204, 204]
    registry = Caller(service, "member", "p1", app.registry_factory)
    asked = {"image": {"name": "r", "disk_format": "raw", "container_format": "bare"}}
    one = registry("POST", "/images", asked).json_body["image"]
    changed = registry("PUT", f"/images/{one['id']}", {"image": {"name": "s", "properties": {"k": "v"}}}).json_body["image"]
    assert (changed["name"], changed["properties"]) == ("s", {"k": "v"})
    of = f"/images/{one['id']}"
    assert statuses(registry("DELETE", of), registry("GET", of), owner("DELETE", path)) == [200, 404, 200]


def test_schemas_are_json(owner):
    for name in ("image", "images", "member", "members", "task", "tasks"):
        assert json.loads(owner("GET", f"/v2/schemas/{name}").body)["name"]
