"""Metadata definitions: namespaces of properties, objects and tags that images, flavors and volumes may have, as data.

Nothing here is enforced: dashboards read it to offer what an operator wants to be chosen from.
"""

import typing
import urllib.parse

from common import db, errors, rows, schema, wsgi
from image import access
from image.db import metadefs
from image.db.metadefs import ITEMS, LINKS, NAMESPACES, TYPES
from image.handlers.schemas import PROPERTY

_NAME = {"type": "string", "minLength": 1, "maxLength": 80}
_LINK = {"name": _NAME, "prefix": {"type": ["string", "null"], "maxLength": 80},
         "properties_target": {"type": ["string", "null"], "maxLength": 80}}
_KINDS: dict[str, dict] = {
    "object": schema.obj({"name": _NAME, "description": {"type": ["string", "null"]}, "required": {
        "type": "array", "items": {"type": "string"}}, "properties": {"type": "object", "additionalProperties": PROPERTY}},
        ["name"], extra=True),
    "property": {**PROPERTY, "properties": {**PROPERTY["properties"], "name": _NAME}, "required": ["name", "title", "type"]},
    "tag": schema.obj({"name": _NAME}, ["name"], extra=True)}
_PLURAL = {"object": "objects", "property": "properties", "tag": "tags"}
_COLUMNS = {"namespace": _NAME, "display_name": {"type": ["string", "null"], "maxLength": 80},
            "description": {"type": ["string", "null"], "maxLength": 500}, "visibility": {"enum": ["public", "private"]},
            "protected": {"type": "boolean"}, "owner": {"type": ["string", "null"], "maxLength": 255}}
NAMESPACE = schema.obj({
    **_COLUMNS, "resource_type_associations": {"type": "array", "items": schema.obj(_LINK, ["name"], extra=True)},
    "objects": {"type": "array", "items": _KINDS["object"]}, "tags": {"type": "array", "items": _KINDS["tag"]},
    "properties": {"type": "object", "additionalProperties": PROPERTY}}, ["namespace"], extra=True)


# What a new namespace may hold from the start, and the rule that lets it.
_ADDED = {"resource_type_associations": "add_metadef_resource_type_association", "objects": "add_metadef_object",
          "properties": "add_metadef_property", "tags": "add_metadef_tag"}


def _times(row: dict) -> dict:
    return {"created_at": db.iso(row["created_at"]), "updated_at": db.iso(row["updated_at"])}


def _path(namespace: str, *more: str) -> str:
    return "/".join(["/v2/metadefs/namespaces", *(urllib.parse.quote(p, safe="") for p in (namespace, *more))])


def _view(row: dict) -> dict:
    shown = {k: row[k] for k in _COLUMNS if row[k] is not None}
    return {**shown, **_times(row), "self": _path(row["namespace"]), "schema": "/v2/schemas/metadefs/namespace"}


def _item_view(namespace: str, row: dict) -> dict:
    if row["kind"] == "property":
        return {"name": row["name"], **row["body"]}
    shown = {"name": row["name"], **row["body"], **_times(row)}
    if row["kind"] == "object":
        shown.update(required=row["body"].get("required", []), self=_path(namespace, "objects", row["name"]),
                     schema="/v2/schemas/metadefs/object")
    return shown


def _link_view(row: dict) -> dict:
    return {**{k: row[k] for k in ("name", "prefix", "properties_target") if row[k] is not None}, **_times(row)}


# Namespaces -------------------------------------------------------------------

def _filtered(req) -> list:
    where = [access.visible_namespaces(req)]
    if "visibility" in req.GET:
        where.append(NAMESPACES.c.visibility == req.GET["visibility"])
    if "resource_types" in req.GET:
        where.append(metadefs.with_resource_types(req.GET["resource_types"].split(",")))
    return where


def index(req):
    access.check_namespace(req, None, "get_metadef_namespaces", "list_metadef_resource_types")
    limit = min(wsgi.int_param(req, "limit", 25), 1000)
    key, direction = req.GET.get("sort_key", "created_at"), req.GET.get("sort_dir", "desc")
    if key not in ("created_at", "namespace", "updated_at", "id") or direction not in ("asc", "desc"):
        raise errors.BadRequest(f"Invalid sort: {key}:{direction}")
    with req.svc.db.reader() as connection:
        marker = access.namespace(req, connection, req.GET["marker"]) if "marker" in req.GET else None
        found = rows.page(connection, NAMESPACES, *_filtered(req), sort=[(key, direction)], limit=limit,
                          marker_row=marker) if limit else []
        last = found[-1] if limit and len(found) == limit else None
        found = [r for r in found if access.allows_of_namespace(req, "get_metadef_namespace", r)]
        links: dict[str, list] = {r["id"]: [] for r in found}
        for link in metadefs.links(connection, *links):
            links[link["namespace_id"]].append(_link_view(link))
    query = {k: v for k, v in req.GET.items() if k != "marker"}
    body: dict = {"namespaces": [{**_view(r), **({"resource_type_associations": links[r["id"]]} if links[r["id"]] else {})}
                                 for r in found], "schema": "/v2/schemas/metadefs/namespaces",
                  "first": "/v2/metadefs/namespaces" + ("?" + urllib.parse.urlencode(query) if query else "")}
    if last:
        body["next"] = "/v2/metadefs/namespaces?" + urllib.parse.urlencode({**query, "marker": last["namespace"]})
    return body


@wsgi.body(NAMESPACE)
def create(req, body):
    """A namespace, with what it is to hold from the start."""
    access.check_namespace(req, None, "add_metadef_namespace", *(rule for name, rule in _ADDED.items() if body.get(name)))
    with req.svc.db.writer() as connection:
        row = metadefs.add(connection, body, req.ctx.project_id or "")
        shown = _whole(connection, row)
    response = wsgi.json_response(shown, 201)
    response.location = req.base_url() + shown["self"]
    return response


def _whole(connection, row: dict) -> dict:
    shown, name = _view(row), row["namespace"]
    links = metadefs.links(connection, row["id"])
    for kind, plural in _PLURAL.items():
        found = metadefs.items(connection, row, kind)
        if found:
            shown[plural] = {i["name"]: {k: v for k, v in _item_view(name, i).items() if k != "name"} for i in found} \
                if kind == "property" else [_item_view(name, i) for i in found]
    if links:
        shown["resource_type_associations"] = [_link_view(x) for x in links]
    return shown


def show(req, namespace):
    with req.svc.db.reader() as connection:
        return _whole(connection, access.namespace(
            req, connection, namespace, "get_metadef_namespace", "list_metadef_resource_types", "get_metadef_objects",
            "get_metadef_properties", "get_metadef_tags"))


@wsgi.body(NAMESPACE)
def update(req, namespace, body):
    with req.svc.db.writer() as connection:
        row = access.namespace(req, connection, namespace, "modify_metadef_namespace")
        values = {k: body[k] for k in _COLUMNS if k in body and not (k == "owner" and body[k] is None)}
        values["updated_at"] = db.now()
        rows.update(connection, NAMESPACES, row["id"], values, resource="namespace",
                    conflict=f"The metadata definition namespace={body['namespace']} already exists.")
    return _view({**row, **values})


def delete(req, namespace):
    with req.svc.db.writer() as connection:
        row = access.namespace(req, connection, namespace, "delete_metadef_namespace")
        if row["protected"]:
            raise errors.Forbidden(f"Metadata definition namespace {namespace} is protected and cannot be deleted.")
        rows.delete(connection, NAMESPACES, row["id"], resource="namespace")


# Objects, properties, tags ------------------------------------------------------

def _rule(verb: str, kind: str) -> str:
    """How Glance names the rule for items of a kind."""
    return f"{'remove' if (verb, kind) == ('delete', 'property') else verb}_metadef_{kind}"


def _handlers(kind: str) -> dict[str, typing.Callable]:
    """The requests for items of one kind."""
    plural, check = _PLURAL[kind], schema.compiled(_KINDS[kind])
    get, add, modify, remove = (_rule(verb, kind) for verb in ("get", "add", "modify", "delete"))

    def index(req, namespace):
        with req.svc.db.reader() as connection:
            row = access.namespace(req, connection, namespace, f"get_metadef_{plural}")
            found = metadefs.items(connection, row, kind) if access.allows_of_namespace(req, get, row) else []
        if kind == "property":
            return {plural: {i["name"]: {k: v for k, v in _item_view(namespace, i).items() if k != "name"} for i in found}}
        return {plural: [_item_view(namespace, i) for i in found], "schema": f"/v2/schemas/metadefs/{plural}"}

    def create(req, namespace):
        body = req.json_object()
        check(body)
        with req.svc.db.writer() as connection:
            made = metadefs.put(connection, access.namespace(req, connection, namespace, add), kind, body["name"], body)
        return _item_view(namespace, made)

    def show(req, namespace, name):
        with req.svc.db.reader() as connection:
            return _item_view(namespace, metadefs.item(connection, access.namespace(req, connection, namespace, get), kind, name))

    def update(req, namespace, name):
        body = req.json_object()
        check(body)
        with req.svc.db.writer() as connection:
            row = access.namespace(req, connection, namespace, modify)
            old = metadefs.item(connection, row, kind, name)
            if body["name"] != name and any(i["name"] == body["name"] for i in metadefs.items(connection, row, kind)):
                raise errors.Conflict(f"A metadata definition {kind} with name={body['name']} already exists.")
            kept = {k: v for k, v in body.items() if k != "name" and k not in metadefs.SENT_BACK}
            values = {"name": body["name"], "body": kept, "updated_at": db.now()}
            rows.update_where(connection, ITEMS, values, namespace_id=row["id"], kind=kind, name=name)
        return _item_view(namespace, {**old, **values})

    def delete(req, namespace, name):
        with req.svc.db.writer() as connection:
            row = access.namespace(req, connection, namespace, remove)
            metadefs.item(connection, row, kind, name)
            rows.delete_where(connection, ITEMS, namespace_id=row["id"], kind=kind, name=name)

    def clear(req, namespace):
        rules = ("delete_metadef_namespace", *(("delete_metadef_tags",) if kind == "tag" else ()))
        with req.svc.db.writer() as connection:
            row = access.namespace(req, connection, namespace, *rules)
            rows.delete_where(connection, ITEMS, namespace_id=row["id"], kind=kind)
    return {"index": index, "create": create, "show": show, "update": update, "delete": delete, "clear": clear}


def create_tag(req, namespace, name):
    """A tag is a name: it needs no body."""
    _TAG_NAME(name)
    with req.svc.db.writer() as connection:
        made = metadefs.put(connection, access.namespace(req, connection, namespace, "add_metadef_tag"), "tag", name, {})
    return _item_view(namespace, made)


_TAG_NAME = schema.compiled(_NAME)


@wsgi.body(schema.obj({"tags": {"type": "array", "items": _KINDS["tag"], "maxItems": 1000}}, ["tags"], extra=True))
def replace_tags(req, namespace, body):
    """These tags in place of those that were there; beside them with ``X-Openstack-Append: True``."""
    append = wsgi.bool_value(req.headers.get("X-Openstack-Append", "False"))
    with req.svc.db.writer() as connection:
        row = access.namespace(req, connection, namespace, "add_metadef_tags")
        if not append:
            rows.delete_where(connection, ITEMS, namespace_id=row["id"], kind="tag")
        for item in body["tags"]:
            metadefs.put(connection, row, "tag", item["name"], {})
        found = metadefs.items(connection, row, "tag")
    return {"tags": [_item_view(namespace, i) for i in found], "schema": "/v2/schemas/metadefs/tags"}


# Resource types -----------------------------------------------------------------

def types(req):
    access.check_namespace(req, None, "list_metadef_resource_types")
    with req.svc.db.reader() as connection:
        found = rows.select(connection, TYPES, order_by="name")
    return {"resource_types": [{"name": r["name"], **_times(r)} for r in found]}


def links(req, namespace):
    with req.svc.db.reader() as connection:
        row = access.namespace(req, connection, namespace, "list_metadef_resource_types")
        found = metadefs.links(connection, row["id"])
    found = found if access.allows_of_namespace(req, "get_metadef_resource_type", row) else []
    return {"resource_type_associations": [_link_view(x) for x in found]}


@wsgi.body(schema.obj(_LINK, ["name"], extra=True))
def add_link(req, namespace, body):
    with req.svc.db.writer() as connection:
        row = access.namespace(req, connection, namespace, "add_metadef_resource_type_association")
        return _link_view(metadefs.link(connection, row, body))


def remove_link(req, namespace, name):
    with req.svc.db.writer() as connection:
        row = access.namespace(req, connection, namespace, "remove_metadef_resource_type_association")
        if not rows.delete_where(connection, LINKS, namespace_id=row["id"], name=name):
            raise errors.NotFound(f"The metadata definition resource-type association of resource-type={name} to "
                                  f"namespace={namespace}, was not found.")


def routes() -> list[wsgi.Route]:
    base, found = "/v2/metadefs/namespaces", []
    one = base + "/{namespace}"
    for kind, plural in _PLURAL.items():
        of, path, item = _handlers(kind), f"{one}/{plural}", f"{one}/{plural}/{{name}}"
        make = replace_tags if kind == "tag" else of["create"]
        found += [wsgi.Route("GET", path, of["index"]), wsgi.Route("POST", path, make, 201),
                  wsgi.Route("DELETE", path, of["clear"], 204), wsgi.Route("GET", item, of["show"]),
                  wsgi.Route("PUT", item, of["update"]), wsgi.Route("DELETE", item, of["delete"], 204)]
    return [wsgi.Route("GET", base, index), wsgi.Route("POST", base, create, 201), wsgi.Route("GET", one, show),
            wsgi.Route("PUT", one, update), wsgi.Route("DELETE", one, delete, 204), *found,
            wsgi.Route("POST", one + "/tags/{name}", create_tag, 201), wsgi.Route("GET", "/v2/metadefs/resource_types", types),
            wsgi.Route("GET", one + "/resource_types", links), wsgi.Route("POST", one + "/resource_types", add_link, 201),
            wsgi.Route("DELETE", one + "/resource_types/{name}", remove_link, 204)]
