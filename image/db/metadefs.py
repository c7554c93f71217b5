"""Rows of the catalog of metadata definitions."""

from common import context, db, rows
from image.db import models

NAMESPACES, ITEMS, TYPES, LINKS = (models.metadef_namespaces, models.metadef_items, models.metadef_resource_types,
                                   models.metadef_associations)
SENT_BACK = ("created_at", "updated_at", "self", "schema")  # clients send back what they were shown


def add(connection, given: dict, owner: str) -> dict:
    """A namespace, with what it holds, as the API has it; its row. :raises Conflict: there is one of this name"""
    at = db.now()
    row = {"id": context.new_uuid(), "namespace": given["namespace"], "display_name": given.get("display_name"),
           "description": given.get("description"), "visibility": given.get("visibility", "private"),
           "protected": given.get("protected", False), "owner": given.get("owner") or owner, "created_at": at, "updated_at": at}
    rows.insert(connection, NAMESPACES, row, conflict=f"The metadata definition namespace={row['namespace']} already exists.")
    for kind, items in (("object", given.get("objects", [])), ("tag", given.get("tags", []))):
        for item in items:
            put(connection, row, kind, item["name"], item)
    for name, item in given.get("properties", {}).items():
        put(connection, row, "property", name, item)
    for item in given.get("resource_type_associations", []):
        link(connection, row, item)
    return row


def put(connection, row: dict, kind: str, name: str, body: dict) -> dict:
    """An object, property or tag of a namespace. :raises Conflict: there is one of this name"""
    at = db.now()
    kept = {k: v for k, v in body.items() if k != "name" and k not in SENT_BACK}
    return rows.insert(connection, ITEMS, {
        "namespace_id": row["id"], "kind": kind, "name": name, "body": kept, "created_at": at, "updated_at": at},
        conflict=f"A metadata definition {kind} with name={name} already exists in namespace={row['namespace']}.")


def link(connection, row: dict, given: dict) -> dict:
    """What kind of resources a namespace is for. :raises Conflict: that is known"""
    at = db.now()
    if rows.one(connection, TYPES.select().where(TYPES.c.name == given["name"])) is None:
        rows.insert(connection, TYPES, {"name": given["name"], "created_at": at, "updated_at": at})
    return rows.insert(connection, LINKS, {
        "namespace_id": row["id"], "name": given["name"], "prefix": given.get("prefix"),
        "properties_target": given.get("properties_target"), "created_at": at, "updated_at": at},
        conflict=f"The metadata definition resource-type association of resource-type={given['name']} to "
                 f"namespace={row['namespace']} already exists.")
