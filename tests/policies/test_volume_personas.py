"""Every route of the volume API as every persona: allowed and refused as Cinder's defaults have it, 404 for what is hidden."""

import dataclasses
import json

import pytest

from tests.policies.runner import Ask, Home, operation, rules_by_operation, surprises
from tests.tenancy import compute, volume
from tests.tenancy.frame import Asker, fill, parameters
from volume import router

VERSION = volume.VERSION
ROUTES = [r for r in router.ROUTES if "project_id" not in parameters(r)]
OPEN = {"/", "/v3", "/v3/extensions", "/v3/os-availability-zone", "/v3/resource_filters"}
# Cinder asks for the project of what these show, and has no rule for them.
BY_PROJECT = {("GET", f"/v3/{path}") for path in ("limits", "attachments", "attachments/detail", "attachments/{id}")}
# Rules of which a request asks one for an attribute, or only with another body; they have tests of their own.
WITHIN = {
    "volume:create_from_image", "volume:force_delete", "volume:extend_attached_volume", "volume:attachment_connection_info",
    "volume_extension:volume_actions:upload_public",
    "volume_extension:volume_host_attribute", "volume_extension:volume_tenant_attribute",
    "volume_extension:volume_mig_status_attribute", "volume_extension:volume_image_metadata:show",
    "volume_extension:extended_snapshot_attributes", "volume_extension:access_types_extra_specs",
    "volume_extension:access_types_qos_specs_id", "volume_extension:types_extra_specs:read_sensitive",
    "volume_extension:volume_type_access", "limits_extension:used_limits"}
# What is asked before a route's own rule, and after it.
UNSEEN = ("os-reset_status", "os-set_image_metadata", "os-unset_image_metadata", "os-update_snapshot_status")
AFTER = {("volumes", "os-force_delete"): "volume:delete", ("snapshots", "os-force_delete"): "volume:delete_snapshot",
         ("volumes", "os-set_image_metadata"): "volume:update_volume_metadata",
         ("volumes", "os-unset_image_metadata"): "volume:delete_volume_metadata",
         ("volumes", "os-terminate_connection"): "volume_extension:volume_actions:unreserve"}
# Requests for which there is nothing, or nothing left of what an earlier persona took away: the type is a public one.
ABSENT = ("os-unset_image_metadata", "addProjectAccess", "removeProjectAccess", "os-volume-type-access")


@dataclasses.dataclass(frozen=True)
class World:
    home: Home
    ids: dict
    admin: Asker
    member: Asker

    def state(self) -> dict[str, tuple]:
        """What there is of all that is asked for."""
        return {noun: self.admin("volume", "GET", f"/v3/{noun}/{self.ids[noun]}", version=VERSION)
                for noun in ("volumes", "snapshots", "attachments", "types")}


def without_limits(admin: Asker, home: Home) -> None:
    limits = {"quota_set": dict.fromkeys(("volumes", "snapshots", "gigabytes"), -1)}
    assert admin("volume", "PUT", f"/v3/os-quota-sets/{home.project_id}", limits)[0] == 200


@pytest.fixture(scope="module")
def world(home, cloud):
    member, admin = home["project member"].asker, Asker(cloud.client)
    ids = volume.make(member, "personas-")
    without_limits(admin, home)
    services = json.loads(admin("volume", "GET", "/v3/os-services?binary=cinder-volume")[1])["services"]
    kind = admin.made("volume", "/v3/types", {"volume_type": {
        "name": "personas", "extra_specs": {"k": "v", "own": "v", "multiattach": "x"}}})
    ids.update({"extra_specs/key": "multiattach"}, types=kind["id"], host=services[0]["host"], action="enable",
               untouched=compute.new_volume(member, "untouched"))
    return World(home, ids, admin, member)


def bodies(world: World, method: str, path: str) -> list:
    """The bodies that a route is asked with, one for each action."""
    plain = path.removeprefix("/v3")
    made = {"/volumes": {"volume": {"size": 1}}, "/types": {"volume_type": {"name": "personas"}},
            "/snapshots": {"snapshot": {"volume_id": world.ids["volumes"], "force": True}},
            "/attachments": {"attachment": {"volume_uuid": world.ids["spare"]}},
            "/os-services/{action}": {"host": world.ids["host"], "binary": "cinder-volume"},
            "/os-quota-sets/{target}": {"quota_set": {"volumes": -1}}}
    if method not in ("POST", "PUT"):
        return [None]
    found = made[plain] if plain in made else volume.BODIES[method, plain](world.ids)
    return found if isinstance(found, list) else [found]


def row_of(method: str, path: str) -> str:
    """The noun of which a request names a row that belongs to a project; "" where it names none."""
    if method == "POST" and path in ("/v3/snapshots", "/v3/attachments"):
        return "volumes"
    return next((noun for noun in ("volumes", "snapshots", "attachments") if f"/{noun}/{{id}}" in path), "")


def rules(method: str, path: str, action: str) -> tuple[str, ...]:
    """All that a request asks, in Cinder's order."""
    noun, item = row_of(method, path), "/metadata/{key}" in path and method == "DELETE"
    of_metadata = {"volumes": "volume:get_volume_metadata", "snapshots": "volume:get_snapshot_metadata"}
    before = {"volumes": "volume:get", "snapshots": "volume:get_snapshot"}.get(noun) if action not in UNSEEN and \
        path != "/v3/attachments" else None
    own = [r for r in rules_by_operation("volume").get(operation(method, path, action), ()) if r not in WITHIN]
    found = (before, of_metadata[noun] if item else None, *own, AFTER.get((noun, action)))
    return tuple(dict.fromkeys(r for r in found if r))


def hides(home: Home, method: str, path: str, asked: tuple[str, ...]):
    """Whether one who is refused is told that there is nothing: as Cinder's database does, and ``volume:get``."""
    def hidden(ctx) -> bool:
        if not row_of(method, path) or not ctx.project_id or {"admin", "service"} & set(ctx.roles):
            return False
        return ctx.project_id != home.project_id or "volume:get" in asked and "reader" not in ctx.roles
    return hidden


def _own_project(ctx) -> dict:
    return {"project_id": ctx.project_id} if ctx.project_id else {}


def fresh(world: World, method: str, path: str, action: str):
    """For what can be done once only: makes what it is done to."""
    makers = {
        "/v3/volumes/{id}": lambda: compute.new_volume(world.member, "passing"),
        "/v3/snapshots/{id}": lambda: world.member.made("volume", "/v3/snapshots", {"snapshot": {
            "volume_id": world.ids["untouched"], "force": True}})["id"],
        "/v3/attachments/{id}": lambda: world.member.made("volume", "/v3/attachments", {"attachment": {
            "volume_uuid": compute.new_volume(world.member, "passing")}}, version="volume 3.50")["id"],
        "/v3/types/{id}": lambda: world.admin.made("volume", "/v3/types", {"volume_type": {"name": "passing"}})["id"]}

    def metadata():
        of = path.removesuffix("/{key}")
        assert world.member("volume", "POST", fill(of, world.ids), {"metadata": {"k": "v"}})[0] == 200
        return fill(path, world.ids), None

    def specs():
        of = f"/v3/types/{world.ids['types']}/extra_specs"
        world.admin("volume", "POST", of, {"extra_specs": {"k": "v"}})
        return f"{of}/k", None
    if method == "DELETE" and "{key}" in path:
        return specs if "extra_specs" in path else metadata
    if method == "DELETE" and path in makers:
        return lambda: (path.replace("{id}", makers[path]()), None)
    if action == "os-force_delete":
        return lambda: (path.replace("{id}", makers[path.removesuffix("/action")]()), {action: {}})
    return None


def asks(world: World, route):
    """A request of a route for each of its bodies."""
    for body in bodies(world, route.method, route.path):
        action = next(iter(body)) if route.path.endswith("/action") else ""
        asked = rules(route.method, route.path, action)
        of_home = row_of(route.method, route.path) or "os-quota-sets" in route.path
        yield Ask(route.method, fill(route.path, world.ids), asked,
                  {"project_id": world.home.project_id} if of_home else _own_project, body, VERSION,
                  hides(world.home, route.method, route.path, asked), fresh=fresh(world, route.method, route.path, action),
                  allowed=frozenset((404,) if action in ABSENT or route.path.endswith(ABSENT) else ()))


def test_every_route_asks_a_rule():
    asked = {(method, shape.partition(" (")[0]) for method, shape in rules_by_operation("volume")}
    assert [(r.method, r.path) for r in ROUTES if r.path not in OPEN and (r.method, r.path) not in BY_PROJECT
            and operation(r.method, r.path) not in asked] == []


def test_everybody_gets_what_openstack_gives_him(world):
    # What deletes and what sets a status comes last: the rest is asked about volumes in good order.
    routes = sorted((r for r in ROUTES if r.path not in OPEN and (r.method, r.path) not in BY_PROJECT),
                    key=lambda r: (r.method == "DELETE", r.path.endswith("/action")))
    found = surprises("volume", world.home, [ask for route in routes for ask in asks(world, route)], world.state)
    assert not found, "\n".join(found)


def test_what_has_no_rule_is_the_projects(world):
    for method, path in BY_PROJECT:
        for name, persona in world.home.people.items():
            status, text = persona.asker("volume", method, fill(path, world.ids), version=VERSION)
            sees_all = {"admin", "service"} & set(persona.ctx.roles)
            wanted = 200 if sees_all or persona.ctx.project_id and ("{" not in path or not name.startswith("foreign")) else (
                404 if persona.ctx.project_id else 403)
            assert status == wanted, (name, path, status, text)


def shown(world: World, name: str, path: str) -> dict:
    status, text = world.home[name].asker("volume", "GET", path, version=VERSION)
    assert status == 200, (name, path, text)
    return next(iter(json.loads(text).values()))


def test_attributes_are_shown_by_their_rules(world):
    volume_path, snapshot_path, type_path = (f"/v3/{noun}/{world.ids[noun]}" for noun in ("volumes", "snapshots", "types"))
    for name in ("project reader", "project member", "project manager"):
        found = shown(world, name, volume_path)
        assert found["os-vol-tenant-attr:tenant_id"] == world.home.project_id
        assert not {"os-vol-host-attr:host", "os-vol-mig-status-attr:migstat", "migration_status", "cluster_name"} & set(found)
        assert "os-extended-snapshot-attributes:progress" in shown(world, name, snapshot_path)
        kind = shown(world, name, type_path)
        assert kind["extra_specs"] == {"multiattach": "x"} and "qos_specs_id" not in kind
        assert ("os-volume-type-access:is_public" in kind) == (name != "project reader")
    for name in ("project admin", "foreign project admin", "domain admin", "system admin"):
        found = shown(world, name, volume_path)
        assert {"os-vol-host-attr:host", "os-vol-mig-status-attr:migstat", "migration_status"} <= set(found)
        kind = shown(world, name, type_path)
        assert "own" in kind["extra_specs"] and kind["qos_specs_id"] is None and kind["os-volume-type-access:is_public"] is True
    # As a service has no role in a project, it is not told what its readers are.
    assert "os-vol-tenant-attr:tenant_id" not in shown(world, "foreign project service", volume_path)


def test_private_types_are_for_those_whom_they_were_given_to(world):
    made = world.admin.made("volume", "/v3/types", {"volume_type": {"name": "secret", "os-volume-type-access:is_public": False}})
    assert set(made) == {"id", "name", "description", "is_public", "extra_specs", "os-volume-type-access:is_public"}
    where, member = f"/v3/types/{made['id']}", world.member
    without_limits(world.admin, world.home)
    ask = {"volume": {"size": 1, "volume_type": "secret"}}

    def seen() -> tuple:
        return member("volume", "GET", where)[0], made["id"] in member("volume", "GET", "/v3/types")[1]
    assert seen() == (404, False) and member("volume", "POST", "/v3/volumes", ask)[0] == 404
    given = {"addProjectAccess": {"project": member.project_id}}
    assert world.admin("volume", "POST", f"{where}/action", given)[0] == 202
    assert world.admin("volume", "POST", f"{where}/action", given)[0] == 409
    assert seen() == (200, True) and member("volume", "POST", "/v3/volumes", ask)[0] == 202
    assert json.loads(world.admin("volume", "GET", f"{where}/os-volume-type-access")[1])["volume_type_access"] == [
        {"volume_type_id": made["id"], "project_id": member.project_id}]
    assert world.admin("volume", "POST", f"{where}/action", {"removeProjectAccess": {"project": member.project_id}})[0] == 202
    assert seen() == (404, False)
    assert made["id"] not in world.admin("volume", "GET", "/v3/types")[1]
    assert made["id"] in world.admin("volume", "GET", "/v3/types?is_public=None")[1]


def test_all_projects_are_listed_for_who_may_see_them(world):
    for path in ("/v3/volumes/detail?all_tenants=1", "/v3/snapshots/detail?all_tenants=1"):
        own = {name: world.ids["volumes"] in world.home[name].asker("volume", "GET", path, version=VERSION)[1]
               for name in ("project reader", "foreign project reader", "foreign project manager", "foreign project admin",
                            "domain admin", "system admin")}
        assert own == {"project reader": True, "foreign project reader": False, "foreign project manager": False,
                       "foreign project admin": True, "domain admin": True, "system admin": True}
    counted = json.loads(world.home["foreign project admin"].asker("volume", "GET", "/v3/volumes/summary?all_tenants=1",
                                                                   version=VERSION)[1])
    assert counted["volume-summary"]["total_count"] > 0
