"""Metadata definitions: namespaces of properties, objects and tags for images, flavors and volumes.

They are not enforced: dashboards read them to offer choices.
"""

import typing
import urllib.parse

from common import db, errors, schema, wsgi
from image.schemas.metadefs import COLUMNS, KINDS, LINK, NAME, NAMESPACE, TAGS
from image.services import metadefs
from image.services.metadefs import PLURAL


def _times(row: dict) -> dict:
    return {"created_at": db.iso(row["created_at"]), "updated_at": db.iso(row["updated_at"])}


def _path(namespace: str, *more: str) -> str:
    return "/".join(["/v2/metadefs/namespaces", *(urllib.parse.quote(p, safe="") for p in (namespace, *more))])


def _view(row: dict) -> dict:
    shown = {k: row[k] for k in COLUMNS if row[k] is not None}
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


def _whole(found: metadefs.Whole) -> dict:
    shown, name = _view(found.row), found.row["namespace"]
    for kind, items in found.items.items():
        if items:
            shown[PLURAL[kind]] = _by_name(name, items) if kind == "property" else [_item_view(name, i) for i in items]
    if found.links:
        shown["resource_type_associations"] = [_link_view(x) for x in found.links]
    return shown


def _by_name(namespace: str, items: list[dict]) -> dict:
    return {i["name"]: {k: v for k, v in _item_view(namespace, i).items() if k != "name"} for i in items}


# Namespaces -------------------------------------------------------------------

def index(req):
    metadefs.check_list(req.call)
    limit = min(wsgi.int_param(req, "limit", 25), 1000)
    key, direction = req.GET.get("sort_key", "created_at"), req.GET.get("sort_dir", "desc")
    if key not in ("created_at", "namespace", "updated_at", "id") or direction not in ("asc", "desc"):
        raise errors.BadRequest(f"Invalid sort: {key}:{direction}")
    found, last = metadefs.index(req.call, {**req.GET}, (key, direction), limit)
    query = {k: v for k, v in req.GET.items() if k != "marker"}
    body: dict = {"namespaces": [_whole(n) for n in found], "schema": "/v2/schemas/metadefs/namespaces",
                  "first": "/v2/metadefs/namespaces" + ("?" + urllib.parse.urlencode(query) if query else "")}
    if last:
        body["next"] = "/v2/metadefs/namespaces?" + urllib.parse.urlencode({**query, "marker": last["namespace"]})
    return body


@wsgi.body(NAMESPACE)
def create(req, body):
    shown = _whole(metadefs.create(req.call, body))
    response = wsgi.json_response(shown, 201)
    response.location = req.base_url() + shown["self"]
    return response


def show(req, namespace):
    return _whole(metadefs.show(req.call, namespace))


@wsgi.body(NAMESPACE)
def update(req, namespace, body):
    return _view(metadefs.update(req.call, namespace, body))


def delete(req, namespace):
    metadefs.delete(req.call, namespace)


# Objects, properties, tags ------------------------------------------------------

def _handlers(kind: str) -> dict[str, typing.Callable]:
    """Handlers of the requests for one kind of item."""
    plural, check = PLURAL[kind], schema.compiled(KINDS[kind])

    def given(req) -> dict:
        body = req.json_object()
        check(body)
        return body

    def index(req, namespace):
        found = metadefs.items(req.call, namespace, kind)
        if kind == "property":
            return {plural: _by_name(namespace, found)}
        return {plural: [_item_view(namespace, i) for i in found], "schema": f"/v2/schemas/metadefs/{plural}"}

    def create(req, namespace):
        return _item_view(namespace, metadefs.add_item(req.call, namespace, kind, given(req)))

    def show(req, namespace, name):
        return _item_view(namespace, metadefs.item(req.call, namespace, kind, name))

    def update(req, namespace, name):
        return _item_view(namespace, metadefs.change_item(req.call, namespace, kind, name, given(req)))

    def delete(req, namespace, name):
        metadefs.remove_item(req.call, namespace, kind, name)

    def clear(req, namespace):
        metadefs.remove_items(req.call, namespace, kind)
    return {"index": index, "create": create, "show": show, "update": update, "delete": delete, "clear": clear}


_TAG_NAME = schema.compiled(NAME)


def create_tag(req, namespace, name):
    """A tag has only a name, so there is no body."""
    _TAG_NAME(name)
    return _item_view(namespace, metadefs.add_item(req.call, namespace, "tag", {"name": name}))


@wsgi.body(TAGS)
def replace_tags(req, namespace, body):
    """Replace the tags, or add to them with ``X-Openstack-Append: True``."""
    append = wsgi.bool_value(req.headers.get("X-Openstack-Append", "False"))
    found = metadefs.set_tags(req.call, namespace, [item["name"] for item in body["tags"]], append=append)
    return {"tags": [_item_view(namespace, i) for i in found], "schema": "/v2/schemas/metadefs/tags"}


# Resource types -----------------------------------------------------------------

def types(req):
    return {"resource_types": [{"name": r["name"], **_times(r)} for r in metadefs.types(req.call)]}


def links(req, namespace):
    return {"resource_type_associations": [_link_view(x) for x in metadefs.links(req.call, namespace)]}


@wsgi.body(LINK)
def add_link(req, namespace, body):
    return _link_view(metadefs.add_link(req.call, namespace, body))


def remove_link(req, namespace, name):
    metadefs.remove_link(req.call, namespace, name)


def routes() -> list[wsgi.Route]:
    base, found = "/v2/metadefs/namespaces", []
    one = base + "/{namespace}"
    for kind, plural in PLURAL.items():
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
