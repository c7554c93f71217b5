"""Rows of the catalog of metadata definitions."""

import collections

import sqlalchemy as sa

from common import context, db, errors, rows
from image.db import models

NAMESPACES, ITEMS, TYPES, LINKS = (models.metadef_namespaces, models.metadef_items, models.metadef_resource_types,
                                   models.metadef_associations)
SENT_BACK = ("created_at", "updated_at", "self", "schema")  # read-only attributes that clients send back


def visible(project_id: str | None):
    """The WHERE of the namespaces that a project may see."""
    return sa.or_(NAMESPACES.c.visibility == "public", NAMESPACES.c.owner == project_id)


def absent(namespace: str) -> str:
    return f"Metadata definition namespace={namespace} was not found."


def get(connection, namespace: str, where) -> dict:
    """:raises NotFound: no namespace of this name satisfies ``where``"""
    row = rows.one(connection, sa.select(NAMESPACES).where(NAMESPACES.c.namespace == namespace, where))
    if row is None:
        raise errors.NotFound(absent(namespace))
    return row


def with_resource_types(names: list[str]):
    """The WHERE of the namespaces that are associated with one of these resource types."""
    return NAMESPACES.c.id.in_(sa.select(LINKS.c.namespace_id).where(LINKS.c.name.in_(names)))


def items(connection, row: dict, kind: str) -> list[dict]:
    """The objects, properties or tags of a namespace."""
    return rows.select(connection, ITEMS, order_by="name", namespace_id=row["id"], kind=kind)


def item(connection, row: dict, kind: str, name: str) -> dict:
    """:raises NotFound: the namespace has no such object, property or tag"""
    found = rows.first(connection, ITEMS, namespace_id=row["id"], kind=kind, name=name)
    if found is None:
        raise errors.NotFound(f"Metadata definition {kind} with name={name} was not found in namespace={row['namespace']}.")
    return found


def links(connection, *namespace_ids: str) -> list[dict]:
    """The associations of namespaces with resource types."""
    return rows.select(connection, LINKS, order_by="name", namespace_id=namespace_ids)


def add(connection, given: dict, owner: str) -> dict:
    """Insert a namespace and its content, in the API's format; returns its row. :raises Conflict: the name exists"""
    at = db.now()
    row = {"id": context.new_uuid(), "namespace": given["namespace"], "display_name": given.get("display_name"),
           "description": given.get("description"), "visibility": given.get("visibility", "private"),
           "protected": given.get("protected", False), "owner": given.get("owner") or owner, "created_at": at, "updated_at": at}
    rows.insert(connection, NAMESPACES, row, conflict=f"The metadata definition namespace={row['namespace']} already exists.")
    made: list[dict] = []
    for kind, items in (("object", given.get("objects", [])), ("tag", given.get("tags", []))):
        for item in items:
            made.append(_item(row, kind, item["name"], item))
    made += [_item(row, "property", name, item) for name, item in given.get("properties", {}).items()]
    for (kind, name), count in collections.Counter((i["kind"], i["name"]) for i in made).items():
        if count > 1:
            raise errors.Conflict(_exists(row, kind, name))
    if made:
        connection.execute(sa.insert(ITEMS), made)
    for item in given.get("resource_type_associations", []):
        link(connection, row, item)
    return row


def _item(row: dict, kind: str, name: str, body: dict) -> dict:
    at = db.now()
    kept = {k: v for k, v in body.items() if k != "name" and k not in SENT_BACK}
    return {"namespace_id": row["id"], "kind": kind, "name": name, "body": kept, "created_at": at, "updated_at": at}


def _exists(row: dict, kind: str, name: str) -> str:
    return f"A metadata definition {kind} with name={name} already exists in namespace={row['namespace']}."


def put(connection, row: dict, kind: str, name: str, body: dict) -> dict:
    """Insert an object, property or tag of a namespace. :raises Conflict: the name exists"""
    return rows.insert(connection, ITEMS, _item(row, kind, name, body), conflict=_exists(row, kind, name))


def link(connection, row: dict, given: dict) -> dict:
    """Associate a namespace with a resource type. :raises Conflict: it is associated already"""
    at = db.now()
    if rows.one(connection, TYPES.select().where(TYPES.c.name == given["name"])) is None:
        rows.insert(connection, TYPES, {"name": given["name"], "created_at": at, "updated_at": at})
    return rows.insert(connection, LINKS, {
        "namespace_id": row["id"], "name": given["name"], "prefix": given.get("prefix"),
        "properties_target": given.get("properties_target"), "created_at": at, "updated_at": at},
        conflict=f"The metadata definition resource-type association of resource-type={given['name']} to "
                 f"namespace={row['namespace']} already exists.")
