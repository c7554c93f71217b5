"""Metadata definitions: namespaces of properties, objects and tags for images, flavors and volumes.

They are not enforced: dashboards read them to offer choices.
"""

import typing

from common import db, errors, rows
from common.calls import Call
from image import access
from image.db import metadefs
from image.db.metadefs import ITEMS, LINKS, NAMESPACES, TYPES
from image.schemas.metadefs import COLUMNS

PLURAL = {"object": "objects", "property": "properties", "tag": "tags"}
# What a new namespace may contain, and the rule for it.
_ADDED = {"resource_type_associations": "add_metadef_resource_type_association", "objects": "add_metadef_object",
          "properties": "add_metadef_property", "tags": "add_metadef_tag"}


class Whole(typing.NamedTuple):
    """A namespace with its content: {kind: items}, and its associations with resource types."""

    row: dict
    items: dict[str, list[dict]]
    links: list[dict]


# Namespaces -------------------------------------------------------------------

def _filtered(call: Call, query: typing.Mapping[str, str]) -> list:
    where = [access.visible_namespaces(call)]
    if "visibility" in query:
        where.append(NAMESPACES.c.visibility == query["visibility"])
    if "resource_types" in query:
        where.append(metadefs.with_resource_types(query["resource_types"].split(",")))
    return where


def check_list(call: Call) -> None:
    access.check_namespace(call, None, "get_metadef_namespaces", "list_metadef_resource_types")


def index(call: Call, query: typing.Mapping[str, str], sort: tuple[str, str], limit: int) -> tuple[list[Whole], dict | None]:
    """(the namespaces of a page that the caller may see, without their items; the last row of the page).

    :param query: "visibility", "resource_types" and "marker", each optional
    """
    check_list(call)
    with call.svc.db.reader() as connection:
        marker = access.namespace(call, connection, query["marker"]) if "marker" in query else None
        found = rows.page(connection, NAMESPACES, *_filtered(call, query), sort=[sort], limit=limit,
                          marker_row=marker) if limit else []
        last = found[-1] if limit and len(found) == limit else None
        found = [r for r in found if access.allows_of_namespace(call, "get_metadef_namespace", r)]
        links: dict[str, list] = {r["id"]: [] for r in found}
        for link in metadefs.links(connection, *links):
            links[link["namespace_id"]].append(link)
    return [Whole(r, {}, links[r["id"]]) for r in found], last


def _whole(connection, row: dict) -> Whole:
    links = metadefs.links(connection, row["id"])
    return Whole(row, {kind: metadefs.items(connection, row, kind) for kind in PLURAL}, links)


def create(call: Call, body: dict) -> Whole:
    """Create a namespace and its content."""
    access.check_namespace(call, None, "add_metadef_namespace", *(rule for name, rule in _ADDED.items() if body.get(name)))
    with call.svc.db.writer() as connection:
        return _whole(connection, metadefs.add(connection, body, call.ctx.project_id or ""))


def show(call: Call, namespace: str) -> Whole:
    with call.svc.db.reader() as connection:
        return _whole(connection, access.namespace(
            call, connection, namespace, "get_metadef_namespace", "list_metadef_resource_types", "get_metadef_objects",
            "get_metadef_properties", "get_metadef_tags"))


def update(call: Call, namespace: str, body: dict) -> dict:
    with call.svc.db.writer() as connection:
        row = access.namespace(call, connection, namespace, "modify_metadef_namespace")
        values = {k: body[k] for k in COLUMNS if k in body and not (k == "owner" and body[k] is None)}
        values["updated_at"] = db.now()
        rows.update(connection, NAMESPACES, row["id"], values, resource="namespace",
                    conflict=f"The metadata definition namespace={body['namespace']} already exists.")
    return {**row, **values}


def delete(call: Call, namespace: str) -> None:
    with call.svc.db.writer() as connection:
        row = access.namespace(call, connection, namespace, "delete_metadef_namespace")
        if row["protected"]:
            raise errors.Forbidden(f"Metadata definition namespace {namespace} is protected and cannot be deleted.")
        rows.delete(connection, NAMESPACES, row["id"], resource="namespace")


# Objects, properties, tags ------------------------------------------------------

def _rule(verb: str, kind: str) -> str:
    """Glance's name of the rule for items of a kind."""
    return f"{'remove' if (verb, kind) == ('delete', 'property') else verb}_metadef_{kind}"


def items(call: Call, namespace: str, kind: str) -> list[dict]:
    with call.svc.db.reader() as connection:
        row = access.namespace(call, connection, namespace, f"get_metadef_{PLURAL[kind]}")
        return metadefs.items(connection, row, kind) if access.allows_of_namespace(call, _rule("get", kind), row) else []


def add_item(call: Call, namespace: str, kind: str, body: dict) -> dict:
    with call.svc.db.writer() as connection:
        row = access.namespace(call, connection, namespace, _rule("add", kind))
        return metadefs.put(connection, row, kind, body["name"], {} if kind == "tag" else body)


def item(call: Call, namespace: str, kind: str, name: str) -> dict:
    with call.svc.db.reader() as connection:
        return metadefs.item(connection, access.namespace(call, connection, namespace, _rule("get", kind)), kind, name)


def change_item(call: Call, namespace: str, kind: str, name: str, body: dict) -> dict:
    with call.svc.db.writer() as connection:
        row = access.namespace(call, connection, namespace, _rule("modify", kind))
        old = metadefs.item(connection, row, kind, name)
        if body["name"] != name and any(i["name"] == body["name"] for i in metadefs.items(connection, row, kind)):
            raise errors.Conflict(f"A metadata definition {kind} with name={body['name']} already exists.")
        kept = {k: v for k, v in body.items() if k != "name" and k not in metadefs.SENT_BACK}
        values = {"name": body["name"], "body": kept, "updated_at": db.now()}
        rows.update_where(connection, ITEMS, values, namespace_id=row["id"], kind=kind, name=name)
    return {**old, **values}


def remove_item(call: Call, namespace: str, kind: str, name: str) -> None:
    with call.svc.db.writer() as connection:
        row = access.namespace(call, connection, namespace, _rule("delete", kind))
        metadefs.item(connection, row, kind, name)
        rows.delete_where(connection, ITEMS, namespace_id=row["id"], kind=kind, name=name)


def remove_items(call: Call, namespace: str, kind: str) -> None:
    """Delete all items of a kind."""
    rules = ("delete_metadef_namespace", *(("delete_metadef_tags",) if kind == "tag" else ()))
    with call.svc.db.writer() as connection:
        row = access.namespace(call, connection, namespace, *rules)
        rows.delete_where(connection, ITEMS, namespace_id=row["id"], kind=kind)


def set_tags(call: Call, namespace: str, names: list[str], *, append: bool) -> list[dict]:
    """Replace the tags, or add to them; returns all tags."""
    with call.svc.db.writer() as connection:
        row = access.namespace(call, connection, namespace, "add_metadef_tags")
        if not append:
            rows.delete_where(connection, ITEMS, namespace_id=row["id"], kind="tag")
        for name in names:
            metadefs.put(connection, row, "tag", name, {})
        return metadefs.items(connection, row, "tag")


# Resource types -----------------------------------------------------------------

def types(call: Call) -> list[dict]:
    access.check_namespace(call, None, "list_metadef_resource_types")
    with call.svc.db.reader() as connection:
        return rows.select(connection, TYPES, order_by="name")


def links(call: Call, namespace: str) -> list[dict]:
    with call.svc.db.reader() as connection:
        row = access.namespace(call, connection, namespace, "list_metadef_resource_types")
        found = metadefs.links(connection, row["id"])
    return found if access.allows_of_namespace(call, "get_metadef_resource_type", row) else []


def add_link(call: Call, namespace: str, body: dict) -> dict:
    with call.svc.db.writer() as connection:
        row = access.namespace(call, connection, namespace, "add_metadef_resource_type_association")
        return metadefs.link(connection, row, body)


def remove_link(call: Call, namespace: str, name: str) -> None:
    with call.svc.db.writer() as connection:
        row = access.namespace(call, connection, namespace, "remove_metadef_resource_type_association")
        if not rows.delete_where(connection, LINKS, namespace_id=row["id"], name=name):
            raise errors.NotFound(f"The metadata definition resource-type association of resource-type={name} to "
                                  f"namespace={namespace}, was not found.")
