"""Images as the API shows them."""

from common import db
from common.calls import Call
from image import access, locations

_BASE = ("id", "name", "status", "visibility", "protected", "os_hidden", "checksum", "os_hash_algo", "os_hash_value",
         "owner", "size", "virtual_size", "container_format", "disk_format", "min_ram", "min_disk", "tags")


def view(row: dict) -> dict:
    shown = {**row["properties"], **{k: row[k] for k in _BASE}}
    if "to" in (row["progress"] or {}):
        shown.update(os_glance_importing_to_stores=",".join(row["progress"]["to"]),
                     os_glance_failed_import=",".join(row["progress"]["failed"]))
    path = f"/v2/images/{row['id']}"
    shown.update(created_at=db.iso(row["created_at"]), updated_at=db.iso(row["updated_at"]),
                 self=path, file=path + "/file", schema="/v2/schemas/image")
    return shown


def readable(call: Call, row: dict) -> dict:
    """A row with the properties that this caller may read."""
    return {**row, "properties": call.svc.protections.readable(call.ctx, row["properties"])}


def answer(call: Call, row: dict) -> dict:
    """The view of an image for this caller."""
    shown = view(readable(call, row))
    found = locations.stores(row, call.svc.stores)
    if found:
        shown["stores"] = ",".join(found)
    if call.svc.conf.image.show_multiple_locations and access.allows(call, "get_image_location", row):
        shown["locations"] = locations.entries(row)
    return shown
