"""The volume API: volumes, snapshots, attachments."""

import json

from common.periodic import wait_for
from tests.tenancy import compute, schemas
from tests.tenancy.frame import REFUSED, Asker, Ids, Key, Reference, Service, key, writes
from volume import router
from volume.handlers import type_access
from volume.schemas import actions

NOWHERE = compute.NOWHERE
VERSION = "volume 3.68"


def make(who: Asker, mark: str) -> Ids:
    volume = compute.new_volume(who, mark + "volume", metadata={"k": "v"})
    snapshot = who.made("volume", "/v3/snapshots", {"snapshot": {"volume_id": volume, "name": mark + "snapshot"}})["id"]

    def ready() -> bool:
        return json.loads(who("volume", "GET", f"/v3/snapshots/{snapshot}")[1])["snapshot"]["status"] == "available"
    wait_for(ready, 20, what="a snapshot")
    who("volume", "POST", f"/v3/snapshots/{snapshot}/metadata", {"metadata": {"k": "v"}})
    held = compute.new_volume(who, mark + "held")
    attachment = who.made("volume", "/v3/attachments", {"attachment": {"volume_uuid": held, "instance_uuid": NOWHERE}},
                          version=VERSION)["id"]
    kinds = json.loads(who("volume", "GET", "/v3/types")[1])["volume_types"]
    return {"project_id": who.project_id, "volumes": volume, "snapshots": snapshot, "metadata/key": "k",
            "attachments": attachment, "types": kinds[0]["id"],
            "extra_specs/key": "k", "target": who.project_id, "action": "disable", "held": held,
            "spare": compute.new_volume(who, mark + "spare"), "image": compute.private_image(who, mark)}


# What each action is sent with; nothing where its schema asks for nothing.
_ARGUMENTS: dict = {
    "os-reset_status": {"status": "error"}, "os-force_delete": {}, "os-extend": {"new_size": 2},
    "os-extend_volume_completion": {"error": True}, "os-reimage": {"image_id": NOWHERE},
    "os-update_readonly_flag": {"readonly": True}, "os-set_image_metadata": {"metadata": {"a": "b"}},
    "os-unset_image_metadata": {"key": "a"}, "os-set_bootable": {"bootable": True}, "os-attach": {
        "mountpoint": "/dev/vdb", "instance_uuid": NOWHERE},
    "os-detach": {}, "os-volume_upload_image": {"image_name": "taken"}, "os-force_detach": {},
    "os-terminate_connection": {"connector": None}, "os-initialize_connection": {
        "connector": {"initiator": "iqn.2000-01.com.example:a"}}}
ACTIONS = [{name: {} if schema is actions.NOTHING else _ARGUMENTS[name]} for name, schema in actions.SCHEMAS.items()]
_META = {"metadata": {"k": "taken"}}
_BODIES: dict = {
    ("PUT", "/volumes/{id}"): {"volume": {"name": "taken"}}, ("POST", "/volumes/{id}/action"): ACTIONS,
    ("PUT", "/snapshots/{id}"): {"snapshot": {"name": "taken"}},
    ("POST", "/snapshots/{id}/action"): [{"os-reset_status": {"status": "error"}}, {"os-update_snapshot_status": {
        "status": "error"}}, {"os-force_delete": {}}],
    **{(verb, f"/{noun}/{{id}}/metadata"): _META for verb in ("POST", "PUT") for noun in ("volumes", "snapshots")},
    **{("PUT", f"/{noun}/{{id}}/metadata/{{key}}"): {"meta": {"k": "taken"}} for noun in ("volumes", "snapshots")},
    ("PUT", "/types/{id}"): {"volume_type": {"description": "taken"}},
    ("POST", "/types/{id}/extra_specs"): {"extra_specs": {"k": "v"}}, ("PUT", "/types/{id}/extra_specs/{key}"): {"k": "v"},
    ("POST", "/types/{id}/action"): [{name: {"project": NOWHERE}} for name in type_access.ACTIONS],
    ("PUT", "/attachments/{id}"): {"attachment": {"connector": {"host": "x"}}},
    ("POST", "/attachments/{id}/action"): {"os-complete": None},
    ("PUT", "/os-quota-sets/{target}"): {"quota_set": {"volumes": 1}},
    ("PUT", "/os-services/{action}"): {"host": "h", "binary": "cinder-volume"}}
BODIES = {k: lambda ids, body=body: body for k, body in _BODIES.items()}


def _body(method: str, path: str):
    """The body of a route with or without the project in its path; of one that makes things an empty one."""
    plain = path.removeprefix("/v3").removeprefix("/{project_id}")
    return BODIES.get((method, plain)) or (None if "{" in plain else lambda ids: {})


def _volume(values, **more) -> Reference:
    return Reference("POST", "/v3/volumes", lambda own, theirs: {"volume": {"size": 1, **values(own, theirs)}}, **more)


REFERENCES: dict[Key, list[Reference]] = {
    ("volume.handlers.volumes", "volume/imageRef"): [_volume(lambda own, theirs: {"imageRef": theirs["image"]})],
    ("volume.handlers.volumes", "volume/snapshot_id"): [_volume(lambda own, theirs: {"snapshot_id": theirs["snapshots"]})],
    ("volume.handlers.volumes", "volume/source_volid"): [_volume(lambda own, theirs: {"source_volid": theirs["spare"]})],
    ("volume.handlers.snapshots", "snapshot/volume_id"): [Reference(
        "POST", "/v3/snapshots", lambda own, theirs: {"snapshot": {"volume_id": theirs["spare"], "force": True}})],
    ("volume.handlers.attachments", "attachment/volume_uuid"): [Reference(
        "POST", "/v3/attachments", lambda own, theirs: {"attachment": {
            "volume_uuid": theirs["volumes"], "instance_uuid": NOWHERE}})],
    ("volume.handlers.actions", "attachment_id"): [Reference(
        "POST", "/v3/volumes/{id}/action", lambda own, theirs: {"os-detach": {"attachment_id": theirs["attachments"]}},
        control=False)],
    ("volume.handlers.actions", "image_id"): [Reference(
        "POST", "/v3/volumes/{id}/action", lambda own, theirs: {
            "os-reimage": {"image_id": theirs["image"], "reimage_reserved": True}})],
}
_NOT_READ = "accepted from old clients and not read"
NO_REFERENCE = {
    **{("volume.handlers.volumes", f"volume/{name}"): _NOT_READ for name in (
        "project_id", "user_id", "backup_id", "consistencygroup_id", "source_replica")},
    ("volume.handlers.types", "volume_type"): "for admins",
    ("volume.handlers.volumes", "volume/volume_type"): "types are everybody's, or admins give access",
    ("volume.handlers.attachments", "attachment/instance_uuid"): "a text that is shown to the volume's owner",
    ("volume.handlers.actions", "instance_uuid"): "a text that is shown to the volume's owner",
    **{("volume.handlers.limits", f"quota_set/{name}"): _NOT_READ for name in ("tenant_id", "id")}}
_TYPES = {(r.method, r.path): (frozenset((200, 400, 403, 404)), "types are everybody's") for r in router.ROUTES
          if r.method == "GET" and "/types/{id}" in r.path}
_SERVICES = {(r.method, r.path): (REFUSED | {400}, "for admins") for r in router.ROUTES if "/os-services/{action}" in r.path}
SERVICE = Service("volume", router.ROUTES, make,
                  {key(r): body for r in router.ROUTES if writes(r) and "{" in r.path and (body := _body(r.method, r.path))},
                  lambda: schemas.of("volume"), REFERENCES, NO_REFERENCE, {**_TYPES, **_SERVICES}, version="3.68",
                  filters=(("volume_id", "volumes"), ("marker", "volumes"), ("snapshot_id", "snapshots")))
