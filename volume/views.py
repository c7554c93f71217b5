"""Rows of volumes and snapshots as the API shows them; attributes that the policies hide from a caller are omitted."""

from common import db


def _time(moment) -> str | None:
    return db.iso(moment, zulu=False, micro=True)


def links(req, row: dict) -> list[dict]:
    base = req.base_url()
    return [{"rel": "self", "href": f"{base}/v3/{row['project_id']}/volumes/{row['id']}"},
            {"rel": "bookmark", "href": f"{base}/{row['project_id']}/volumes/{row['id']}"}]


def _image_metadata(row: dict) -> dict:
    return {"volume_image_metadata": row["image_metadata"]} if row["image_metadata"] else {}


# Attributes of lists with details and of show, each with a rule, which is checked against the caller's project.
_EXTENSIONS = {
    "volume_extension:volume_tenant_attribute": lambda row: {"os-vol-tenant-attr:tenant_id": row["project_id"]},
    "volume_extension:volume_host_attribute": lambda row: {
        "os-vol-host-attr:host": f"{row['host']}@pileus#pileus" if row["host"] else None},
    "volume_extension:volume_mig_status_attribute": lambda row: {
        "os-vol-mig-status-attr:migstat": None, "os-vol-mig-status-attr:name_id": None},
    "volume_extension:volume_image_metadata:show": _image_metadata,
}


class Volumes:
    """Volumes as the caller of a request sees them: the rules are checked once, for any number of volumes."""

    def __init__(self, req):
        self.req, self.is_admin, self.sees_all = req, req.svc.policy.is_admin(req.ctx), req.svc.policy.sees_all_projects(req.ctx)
        self.extensions = [shown for rule, shown in _EXTENSIONS.items() if req.svc.policy.allows(req.ctx, rule)]

    def _attachment(self, row: dict) -> dict:
        return {"id": row["volume_id"], "attachment_id": row["id"], "volume_id": row["volume_id"],
                "server_id": row["instance_uuid"], "host_name": row["attached_host"] if self.sees_all else None,
                "device": row["mountpoint"], "attached_at": _time(row["attached_at"])}

    def plain(self, row: dict) -> dict:
        """The body of the responses to create and update."""
        version = self.req.version
        attached = [self._attachment(a) for a in row["attachments"] if a["attach_status"] == "attached"]
        shown = {"id": row["id"], "name": row["name"], "description": row["description"], "size": row["size"],
                 "status": row["status"], "user_id": row["user_id"], "availability_zone": row["availability_zone"],
                 "bootable": "true" if row["bootable"] else "false", "encrypted": False, "multiattach": row["multiattach"],
                 "volume_type": row["volume_type"], "metadata": row["metadata"], "attachments": attached,
                 "snapshot_id": row["snapshot_id"], "source_volid": row["source_volid"],
                 "consistencygroup_id": None, "replication_status": None,
                 "created_at": _time(row["created_at"]), "updated_at": _time(row["updated_at"]), "links": links(self.req, row)}
        if row["readonly"] is not None:
            shown["metadata"] = {**row["metadata"], "readonly": str(row["readonly"])}
        if version >= (3, 48):
            shown.update(shared_targets=False, service_uuid=None)
        if version >= (3, 63):
            shown["volume_type_id"] = row["volume_type_id"]
        if version >= (3, 65):
            shown["consumes_quota"] = True
        if self.is_admin:
            shown["migration_status"] = None
            if version >= (3, 61):
                shown["cluster_name"] = None
        return shown

    def detailed(self, row: dict) -> dict:
        shown = self.plain(row)
        for extension in self.extensions:
            shown.update(extension(row))
        return shown


def snapshot(row: dict) -> dict:
    shown = {k: row[k] for k in ("id", "name", "description", "volume_id", "status", "metadata")}
    return {**shown, "size": row["volume_size"], "created_at": _time(row["created_at"]), "updated_at": _time(row["updated_at"])}


def detailed_snapshot(req, row: dict) -> dict:
    shown = snapshot(row)
    if req.svc.policy.allows(req.ctx, "volume_extension:extended_snapshot_attributes"):
        progress = "100%" if row["status"] == "available" else "0%"
        shown.update({"os-extended-snapshot-attributes:project_id": row["project_id"],
                      "os-extended-snapshot-attributes:progress": progress})
    if req.version >= (3, 14):
        shown["group_snapshot_id"] = None
    if req.version >= (3, 41):
        shown["user_id"] = row["user_id"]
    if req.version >= (3, 65):
        shown["consumes_quota"] = True
    return shown


def upload(volume: dict, type: dict | None, image: dict) -> dict:
    """The answer to an upload of a volume to an image."""
    kind = {name: type[name] for name in ("id", "name", "description", "is_public")} if type else None
    return {"id": volume["id"], "updated_at": _time(volume["updated_at"]), "status": volume["status"],
            "display_description": volume["description"], "size": volume["size"], "volume_type": kind, "image_id": image["id"],
            "image_name": image["name"], **{name: image[name] for name in (
                "container_format", "disk_format", "visibility", "protected")}}
