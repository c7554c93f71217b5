"""Every route of the image API as every persona: allowed and refused as Glance's defaults have it, 404 for what is hidden."""

import dataclasses
import functools
import json
import typing

import pytest

from common.context import Context, new_uuid
from image import router
from tests.policies.runner import Ask, Home, Judge, operation, rules_by_operation, surprises
from tests.tenancy import compute, image
from tests.tenancy.frame import Asker, Raw, fill

# The versions before 2 have no rules of their own in Glance of today.
ROUTES = [r for r in router.ROUTES if r.path.startswith("/v2/")]
OPEN = {"/v2/schemas/{name}", "/v2/schemas/metadefs/{name}", "/v2/info/import", "/v2/info/stores", "/v2/info/usage"}
OFF = frozenset((404,))  # what those are answered who may do what this cloud has not: a cache, such a task
IMAGE, SPACE = "/v2/images/{id}", "/v2/metadefs/namespaces/{namespace}"
# Where more than the one rule that names the route is asked, or another: in Glance's order.
RULES: dict[tuple[str, str], tuple[str, ...]] = {
    ("POST", "/v2/images"): ("add_image",), ("GET", "/v2/images"): ("get_images",), ("GET", IMAGE): ("get_image",),
    ("PATCH", IMAGE): ("modify_image",), ("GET", f"{IMAGE}/tasks"): ("get_image",),
    ("POST", f"{IMAGE}/import"): ("modify_image",), ("GET", f"{IMAGE}/members"): ("get_image", "get_members"),
    **{(verb, f"{IMAGE}/members/{{member_id}}"): ("get_image", "get_member", rule) for verb, rule in (
        ("GET", "get_member"), ("PUT", "modify_member"), ("DELETE", "delete_member"))},
    ("GET", "/v2/metadefs/namespaces"): ("get_metadef_namespaces", "list_metadef_resource_types"),
    ("GET", SPACE): ("get_metadef_namespace", "list_metadef_resource_types", "get_metadef_objects", "get_metadef_properties",
                     "get_metadef_tags"),
    **{("GET", f"{SPACE}/{plural}"): (f"get_metadef_{plural}",) for plural in ("objects", "properties", "tags")},
    ("GET", f"{SPACE}/resource_types"): ("list_metadef_resource_types",),
    ("DELETE", f"{SPACE}/tags"): ("delete_metadef_namespace", "delete_metadef_tags")}


@dataclasses.dataclass(frozen=True)
class World:
    """``ids``: of a private image; ``given``: of one that is shared with the project "away"."""

    home: Home
    ids: dict
    given: str
    admin: Asker
    member: Asker

    @property
    def away(self) -> str:
        return self.home["foreign project member"].asker.project_id

    def state(self) -> dict[str, tuple]:
        """What there is of all that is asked for."""
        paths = [f"/v2/images/{self.ids['images']}", f"/v2/images/{self.given}", f"/v2/images/{self.given}/members",
                 "/v2/metadefs/namespaces/personas"]
        return {path: self.admin("image", "GET", path) for path in paths}

    def queued(self) -> str:
        return self.member.made("image", "/v2/images", {"name": "q", "disk_format": "raw", "container_format": "bare"})["id"]


NAMESPACE = {"visibility": "private", "objects": [{"name": "o"}], "tags": [{"name": "t"}],
             "properties": {"p": {"title": "P", "type": "string"}}, "resource_type_associations": [{"name": "r"}]}


def visibility(value: str) -> Raw:
    return Raw(json.dumps([{"op": "replace", "path": "/visibility", "value": value}]).encode(), image.PATCH)


@pytest.fixture(scope="module")
def world(home, cloud):
    member, admin = home["project member"].asker, Asker(cloud.client)
    given = compute.private_image(member, "given-")
    away = home["foreign project member"].asker.project_id
    assert member("image", "POST", f"/v2/images/{given}/members", {"member": away})[0] == 200
    admin.made("image", "/v2/metadefs/namespaces", {**NAMESPACE, "namespace": "personas", "owner": home.project_id})
    ids = {**image.make(member, "personas-"), "namespace": "personas"}
    assert member("image", "PATCH", f"/v2/images/{ids['images']}", visibility("private"))[0] == 200
    return World(home, ids, given, admin, member)


# What a request is about ---------------------------------------------------------

def target(world: World, path: str) -> dict | typing.Callable[[Context], dict]:
    home = world.home.project_id
    if "metadefs" in path:
        return {"project_id": home, "visibility": "private"} if "{namespace}" in path else (
            lambda ctx: {"project_id": ctx.project_id} if ctx.project_id else {})
    if "{id}" in path:
        shared = "/members" in path
        return lambda ctx: {"project_id": home, "owner": home, "visibility": "shared" if shared else "private",
                            "member_id": ctx.project_id if shared and ctx.project_id not in (None, home) else "nobody"}
    return lambda ctx: {"project_id": ctx.project_id, "owner": ctx.project_id, "visibility": "shared"} if ctx.project_id else {}


def exists(world: World, ctx: Context, path: str) -> bool:
    """Whether Glance's database shows a caller what a path names."""
    if "{id}" not in path and "{namespace}" not in path or "admin" in ctx.roles:
        return True
    if "metadefs" not in path and "service" in ctx.roles:
        return True
    return ctx.project_id == world.home.project_id or "/members" in path and ctx.project_id == world.away


def hides(world: World, path: str, *, always: bool = False, rows_only: bool = False):
    """Whether one who is refused is told that there is nothing.

    :param always: whoever is refused is told so
    :param rows_only: only what the database does not show is hidden, not what get_image does not allow
    """
    judge = Judge("image")

    def hidden(ctx: Context) -> bool:
        if always or not exists(world, ctx, path):
            return True
        if rows_only or "{id}" not in path and "metadefs" not in path:
            return False
        of = target(world, path)
        return not judge.allows(ctx, "get_metadef_namespace" if "metadefs" in path else "get_image",
                                of if isinstance(of, dict) else of(ctx))
    return hidden


def rules(method: str, path: str) -> tuple[str, ...]:
    return RULES.get((method, path)) or tuple(rules_by_operation("image").get(operation(method, path), ()))


# What is sent --------------------------------------------------------------------

def body(world: World, method: str, path: str):
    if method not in ("POST", "PUT", "PATCH"):
        return None
    own = {"/v2/images": {"name": "made"}, "/v2/metadefs/namespaces": {"namespace": "passing"},
           f"{IMAGE}/members": {"member": new_uuid()}, f"{IMAGE}/locations": {"url": "http://127.0.0.1/x"},
           f"{SPACE}/tags": {"tags": [{"name": "t"}]},
           SPACE: {**NAMESPACE, "namespace": "personas", "owner": world.home.project_id},
           "/v2/cache/{id}": Raw(b""),
           "/v2/tasks": {"type": "import", "input": {"import_from": "http://127.0.0.1/x", "import_from_format": "raw",
                                                     "image_properties": {}}}}
    found = own[path] if path in own else image.BODIES[method, path](world.ids)
    return found[0] if isinstance(found, list) else found


ITEMS: dict[str, dict] = {"objects": {"name": "passing"}, "resource_types": {"name": "passing"}, "tags": {},
                          "properties": {"name": "passing", "title": "P", "type": "string"}}


def _passing_space(world: World, method: str, path: str):
    where = "/v2/metadefs/namespaces/passing"
    world.admin("image", "DELETE", where)
    if method == "DELETE":
        world.admin.made("image", "/v2/metadefs/namespaces", {"namespace": "passing"})
        return where, None
    return path, {"namespace": "passing"}


def _passing_item(world: World, method: str, path: str):
    """Of a namespace: to be added where the method is POST, and there for others."""
    where = path.removesuffix("/{name}").format(namespace="personas")
    item = ITEMS[where.rsplit("/", 1)[1]]
    at_once = f"{where}/passing" if not item else where  # a tag is added by its name
    world.admin("image", "DELETE", f"{where}/passing")
    if method == "POST":
        return at_once, item or Raw(b"")
    assert world.admin("image", "POST", at_once, item or Raw(b""))[0] == 201
    return f"{where}/passing", None if method == "DELETE" else item or {"name": "passing"}


def _passing_image(world: World, method: str, path: str):
    return path.replace("{id}", world.queued()), body(world, method, path)


def _passing_tag(world: World, method: str, path: str):
    assert world.member("image", "PUT", f"/v2/images/{world.ids['images']}/tags/t", Raw(b""))[0] == 204
    return fill(path, world.ids), None


def _passing_member(world: World, method: str, path: str):
    other, where = new_uuid(), f"/v2/images/{world.given}/members"
    if method == "POST":
        return where, {"member": other}
    assert world.member("image", "POST", where, {"member": other})[0] == 200
    return f"{where}/{other}", None


# What can be done once only: each makes what it is done to, and returns (path, body).
ONCE: dict[tuple[str, str], typing.Callable] = {
    ("DELETE", SPACE): _passing_space, ("POST", "/v2/metadefs/namespaces"): _passing_space,
    **{(method, f"{SPACE}/{noun}/{{name}}"): _passing_item for method in ("PUT", "DELETE") for noun in ITEMS},
    **{("POST", f"{SPACE}/{noun}"): _passing_item for noun in ITEMS if noun != "tags"},
    ("POST", f"{SPACE}/tags/{{name}}"): _passing_item,
    ("DELETE", IMAGE): _passing_image, ("PUT", f"{IMAGE}/file"): _passing_image, ("PUT", f"{IMAGE}/stage"): _passing_image,
    ("DELETE", f"{IMAGE}/tags/{{tag}}"): _passing_tag, ("POST", f"{IMAGE}/members"): _passing_member,
    ("DELETE", f"{IMAGE}/members/{{member_id}}"): _passing_member}


def ask(world: World, method: str, path: str) -> Ask:
    of_members, of_cache = "/members" in path, "/cache" in path
    ids = {**world.ids, "images": world.given, "member_id": world.away} if of_members else world.ids
    allowed = OFF if of_cache or "tasks/" in path else frozenset((403,)) if "/stores/" in path else frozenset()
    hidden = hides(world, path, always=method == "GET" and path.endswith("{member_id}"), rows_only=of_cache)
    once = ONCE.get((method, path))
    return Ask(method, fill(path, ids), rules(method, path), target(world, path), body(world, method, path), "", hidden, "",
               once and functools.partial(once, world, method, path), allowed)


def special(world: World) -> list[Ask]:
    """Requests of which the body says what is asked."""
    where, of = f"/v2/images/{world.ids['images']}", target(world, IMAGE)

    def patch(value: str, rule: str) -> Ask:
        return Ask("PATCH", where, (rule, "modify_image"), of, visibility(value), hidden=hides(world, IMAGE, rows_only=True),
                   fresh=lambda: (f"/v2/images/{world.queued()}", visibility(value)))
    return [patch("public", "publicize_image"), patch("community", "communitize_image"),
            Ask("POST", f"{where}/import", ("copy_image",), of, {"method": {"name": "copy-image"}}, hidden=hides(world, IMAGE))]


def test_every_route_asks_a_rule():
    assert [(r.method, r.path) for r in ROUTES if r.path not in OPEN and not rules(r.method, r.path)
            and (r.method, r.path) != ("DELETE", "/v2/images")] == []


def test_everybody_gets_what_openstack_gives_him(world):
    # What deletes comes last, and a download before the image is switched off.
    routes = sorted((r for r in ROUTES if r.path not in OPEN and rules(r.method, r.path)),
                    key=lambda r: (r.method == "DELETE", "/actions/" in r.path))
    found = surprises("image", world.home, [*special(world), *(ask(world, r.method, r.path) for r in routes)], world.state)
    assert not found, "\n".join(found)


def test_images_of_all_projects_are_listed_for_who_may_see_them(world):
    listed = {name: world.ids["images"] in world.home[name].asker("image", "GET", "/v2/images?limit=1000")[1]
              for name in ("project reader", "foreign project manager", "foreign project admin", "domain admin", "system admin")}
    assert listed == {"project reader": True, "foreign project manager": False, "foreign project admin": True,
                      "domain admin": False, "system admin": False}


def test_a_public_image_is_for_everybody_with_a_role_that_reads(world):
    made = world.queued()
    assert world.admin("image", "PATCH", f"/v2/images/{made}", visibility("public"))[0] == 200
    for name, persona in world.home.people.items():
        status, text = persona.asker("image", "GET", f"/v2/images/{made}")
        right = "project" in name and "meaningless" not in name
        assert status == (200 if right else 404), (name, text)
        # Who sees an image and may not do this is told so.
        if right and not {"admin", "service"} & set(persona.ctx.roles):
            may = name in ("project member", "project manager")
            status, text = persona.asker("image", "PUT", f"/v2/images/{made}/tags/t", Raw(b""))
            assert status == (204 if may else 403) and (may or "complete modify_image action" in text), (name, status, text)
    assert world.admin("image", "DELETE", f"/v2/images/{made}")[0] == 204


def test_images_are_made_for_ones_own_project(world):
    for name, made in (("project member", True), ("foreign project member", False), ("foreign project admin", True)):
        status, text = world.home[name].asker("image", "POST", "/v2/images", {"name": "i", "owner": world.home.project_id})
        assert status == (201 if made else 403) and (made or "not permitted to create images owned by" in text), (name, text)
