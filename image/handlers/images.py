"""Images: list, create, show, update by JSON patch, delete."""

import functools
import urllib.parse

from common import context, db, errors, rows, schema, tags, values, wsgi
from image import access, locations, quota
from image.db import images, members
from image.db.models import images as TABLE
from image.handlers.schemas import WRITABLE
from image.imports import METHODS

VALID = schema.compiled({"type": "object", "properties": WRITABLE, "maxProperties": 128, "propertyNames": {
    "minLength": 1, "maxLength": 255}, "additionalProperties": {"type": ["string", "null"], "maxLength": 65535}})
_BASE = ("id", "name", "status", "visibility", "protected", "os_hidden", "checksum", "os_hash_algo", "os_hash_value",
         "owner", "size", "virtual_size", "container_format", "disk_format", "min_ram", "min_disk", "tags")
_FIXED = frozenset(("id", "status", "checksum", "os_hash_algo", "os_hash_value", "size", "virtual_size", "created_at",
                    "updated_at", "self", "file", "schema", "direct_url", "locations", "stores"))
_BOOTABLE = frozenset(("disk_format", "container_format"))
_ID = schema.compiled(schema.UUID)


def view(row: dict) -> dict:
    shown = {**row["properties"], **{k: row[k] for k in _BASE}}
    if "to" in (row["progress"] or {}):
        shown.update(os_glance_importing_to_stores=",".join(row["progress"]["to"]),
                     os_glance_failed_import=",".join(row["progress"]["failed"]))
    path = f"/v2/images/{row['id']}"
    shown.update(created_at=db.iso(row["created_at"]), updated_at=db.iso(row["updated_at"]),
                 self=path, file=path + "/file", schema="/v2/schemas/image")
    return shown


def readable(req, row: dict) -> dict:
    """A row with those of its properties that this caller may see."""
    return {**row, "properties": req.svc.protections.readable(req.ctx, row["properties"])}


def answer(req, row: dict) -> dict:
    """What this caller sees of an image."""
    shown = view(readable(req, row))
    found = locations.stores(row, req.svc.stores)
    if found:
        shown["stores"] = ",".join(found)
    if req.svc.conf.image.show_multiple_locations and access.allows(req, "get_image_location", row):
        shown["locations"] = locations.of(row)
    return shown


def _range_filter(column, raw: str, convert):
    """``gt:5``, ``lte:…`` and plain values, as the API guide spells comparisons."""
    operator, _, value = raw.partition(":") if raw.split(":")[0] in ("gt", "gte", "lt", "lte", "eq", "neq") else (
        "eq", "", raw)
    right = convert(value)
    return {"eq": column == right, "neq": column != right, "gt": column > right, "gte": column >= right,
            "lt": column < right, "lte": column <= right}[operator]


def _number(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise errors.BadRequest(f"{value!r} is not a number.") from None


def _condition(name: str, raw: str):
    if name in ("size_min", "size_max"):
        return TABLE.c.size >= _number(raw) if name == "size_min" else TABLE.c.size <= _number(raw)
    if name in ("created_at", "updated_at"):
        return _range_filter(TABLE.c[name], raw, functools.partial(wsgi.moment, name))
    if name in ("protected", "os_hidden"):
        return TABLE.c[name] == wsgi.bool_value(raw)
    if name in ("size", "min_ram", "min_disk", "virtual_size"):
        return TABLE.c[name] == _number(raw)
    column = TABLE.c[name]
    if raw.startswith("in:") and name in ("id", "name", "status", "disk_format", "container_format"):
        return column.in_([urllib.parse.unquote(v).strip('"') for v in raw[3:].split(",")])
    return column == raw


def has_property(req, name: str, value: str):
    """The WHERE of images with a property. What a caller may not see he may not search for either."""
    if not req.svc.protections.allows(req.ctx, "read", name):
        return rows.NONE
    return TABLE.c.properties[name].as_string() == value


def _filters(req) -> list:
    found = []
    for name, raw in req.GET.items():
        if name in ("limit", "marker", "sort_key", "sort_dir", "sort", "member_status"):
            continue
        if name == "visibility":
            if raw not in ("public", "private", "shared", "community", "all"):
                raise errors.BadRequest(f"Invalid visibility value: {raw}")
            if raw != "all":
                found.append(TABLE.c.visibility == raw)
        elif name == "tag":
            found.append(tags.has(TABLE.c.tags, raw))
        elif name in images.COLUMNS or name in ("size_min", "size_max"):
            found.append(_condition(name, raw))
        else:
            found.append(has_property(req, name, raw))
    if "os_hidden" not in req.GET:
        found.append(~TABLE.c.os_hidden)
    if not {"visibility", "owner", "id"} & set(req.GET) and not req.svc.policy.is_admin(req.ctx):
        found.append(rows.any_of(TABLE.c.visibility != "community", TABLE.c.owner == req.ctx.project_id))
    return found


def _sort(req) -> list[tuple[str, str]]:
    if "sort" in req.GET:
        pairs = [p.partition(":") for p in req.GET["sort"].split(",")]
        keys = [(k.strip(), d or "desc") for k, _, d in pairs]
    else:
        names = req.GET.getall("sort_key") or ["created_at"]
        directions = req.GET.getall("sort_dir") or ["desc"]
        keys = list(zip(names, directions + [directions[-1]] * len(names)))
    for name, direction in keys:
        if name not in images.COLUMNS or direction not in ("asc", "desc"):
            raise errors.BadRequest(f"Invalid sort: {name}:{direction}")
    if "created_at" not in [k for k, _ in keys]:
        keys.append(("created_at", "desc"))
    return keys


def _member_status(req) -> str:
    status = req.GET.get("member_status", "accepted")
    if status not in (*members.STATUSES, "all"):
        raise errors.BadRequest(f"Invalid status: {status}")
    return status


def _named(req) -> None:
    """:raises NotFound: the path ends with a slash: it is of one image, whose id is nothing"""
    if req.path_info.endswith("/"):
        raise errors.NotFound("No image found with ID ")


def delete_nothing(req):
    _named(req)
    raise errors.MethodNotAllowed()


def page(req, *, where: list, sort: list, limit: int, member_status: str) -> tuple[list[dict], dict | None]:
    """(the images of a page that the caller may see, the last row of the page)."""
    if not limit:
        return [], None
    marker = req.GET.get("marker")
    seen = images.THERE if req.svc.policy.sees_all_projects(req.ctx) else images.listed(req.ctx.project_id, member_status)
    with req.svc.db.reader() as connection:
        found = images.index(connection, where=[seen, *where], sort=sort, limit=limit,
                             marker_row=access.image(req, connection, marker) if marker else None)
    return [r for r in found if access.allows(req, "get_image", r)], found[-1] if len(found) == limit else None


def index(req):
    _named(req)
    req.svc.policy.check(req.ctx, "get_images")
    limit = min(wsgi.int_param(req, "limit", 25), 1000)
    found, last = page(req, where=_filters(req), sort=_sort(req), limit=limit, member_status=_member_status(req))
    query = {k: v for k, v in req.GET.items() if k != "marker"}
    body = {"images": [answer(req, r) for r in found], "schema": "/v2/schemas/images",
            "first": "/v2/images" + ("?" + urllib.parse.urlencode(query) if query else "")}
    if last:
        body["next"] = "/v2/images?" + urllib.parse.urlencode({**query, "marker": last["id"]})
    return body


def _check_visibility(req, visibility: str, row: dict) -> None:
    rule = {"public": "publicize_image", "community": "communitize_image"}.get(visibility)
    if rule:
        req.svc.policy.check(req.ctx, rule, access.target(req, row))


def _check_formats(row: dict) -> None:
    """ami, aki and ari are both a disk and a container format, and must agree."""
    disk, container = row["disk_format"], row["container_format"]
    amazon = ("ami", "aki", "ari")
    if disk and container and (disk in amazon or container in amazon) and disk != container:
        raise errors.BadRequest("Invalid mix of disk and container formats. When setting a disk or container format "
                                "to one of 'aki', 'ari', or 'ami', the container and disk formats must match.")


def create(req):
    row = new_row(req, req.json_object())
    limits = req.svc.quota.limits(row["owner"])
    with req.svc.db.writer() as connection:
        insert(req, connection, row, limits)
    req.svc.notifier.tell(req.ctx, "image.create", view(row))
    response = wsgi.json_response(answer(req, row), 201)
    response.location = f"{req.base_url()}/v2/images/{row['id']}"
    response.headers["OpenStack-image-import-methods"] = ",".join(METHODS)
    response.headers["OpenStack-image-store-ids"] = ",".join(req.svc.stores.writable())
    return response


def _check_reserved(names) -> None:
    """:raises Forbidden: names that the service keeps for itself"""
    reserved = sorted(n for n in names if n.startswith("os_glance"))
    if reserved:
        raise errors.Forbidden(f"Attribute '{reserved[0]}' is reserved.")


def _check_new(req, owner: str | None, visibility: str) -> None:
    """:raises Forbidden: the caller may not make images, or not such, or not for this project"""
    of = {"project_id": owner, "owner": owner, "visibility": visibility}
    if owner != req.ctx.project_id and not req.svc.policy.allows(req.ctx, "add_image", of):
        raise errors.Forbidden(f"You are not permitted to create images owned by '{owner}'")
    req.svc.policy.check(req.ctx, "add_image", of)
    _check_visibility(req, visibility, of)


def new_row(req, body: dict) -> dict:
    """The row of a new image, after all that can be refused of it without the database."""
    refused = _FIXED & set(body) - {"id"}
    if refused:
        raise errors.Forbidden(f"Attribute '{sorted(refused)[0]}' is read-only.")
    VALID(body)
    _check_reserved(body)
    owner, visibility = body.get("owner", req.ctx.project_id), body.get("visibility", "shared")
    _check_new(req, owner, visibility)
    at = db.now()
    row = {"id": values.uuid(body.get("id") or context.new_uuid(), "id"), "name": body.get("name"), "status": "queued",
           "visibility": visibility, "owner": owner, "disk_format": body.get("disk_format"),
           "container_format": body.get("container_format"), "size": None, "virtual_size": None, "checksum": None,
           "os_hash_algo": None, "os_hash_value": None, "min_disk": body.get("min_disk", 0),
           "min_ram": body.get("min_ram", 0), "protected": body.get("protected", False),
           "os_hidden": body.get("os_hidden", False), "tags": sorted(set(body.get("tags", []))),
           "properties": {k: v for k, v in body.items() if k not in WRITABLE}, "created_at": at, "updated_at": at,
           "locations": None, "progress": None}
    _check_formats(row)
    req.svc.protections.check_change(req.ctx, {}, row["properties"])
    return row


def insert(req, connection, row: dict, limits: dict[str, int]) -> None:
    """:raises TooLarge: the project has as many images as it may. :raises Conflict: the id is, or was, another image's

    :param limits: as ``Quota.limits`` says
    """
    req.svc.quota.check(connection, row["owner"], limits, quota.COUNT)
    rows.insert(connection, TABLE, row, conflict=f"Image ID {row['id']} already exists!")
    if images.retired(connection, row["id"]):  # asked after the insert: that waits for a deletion which goes on meanwhile
        raise errors.Conflict(f"Image ID {row['id']} already exists!")


def show(req, id):
    with req.svc.db.reader() as connection:
        return answer(req, access.image(req, connection, id, "get_image"))


def _operations(req) -> list[tuple[str, list[str], object]]:
    """[(op, path parts, value)] of a JSON patch in either of the two media types."""
    kind = (req.content_type or "").split(";")[0]
    if kind not in ("application/openstack-images-v2.1-json-patch", "application/openstack-images-v2.0-json-patch"):
        raise errors.UnsupportedMediaType(f"Unsupported Content-Type {kind or 'none'}")
    changes = req.json_document()
    if not isinstance(changes, list) or not all(isinstance(c, dict) for c in changes):
        raise errors.BadRequest("Request body must be a JSON array of operation objects.")
    found = []
    for change in changes:
        op = change.get("op") or next((o for o in ("add", "replace", "remove") if o in change), None)
        path = change.get("path") if "path" in change else change.get(op)
        if op not in ("add", "replace", "remove") or not isinstance(path, str) or not path.startswith("/"):
            raise errors.BadRequest("Every operation needs an op (add, replace, remove) and a path.")
        if op != "remove" and "value" not in change:
            raise errors.BadRequest(f"Operation '{op}' requires a member named 'value'.")
        parts = [p.replace("~1", "/").replace("~0", "~") for p in path[1:].split("/")]
        if len(parts) != (2 if parts[0] == "locations" and len(parts) > 1 else 1) or not 0 < len(parts[0]) <= 255:
            raise errors.BadRequest(f"Invalid JSON pointer for this resource: '{path}'")
        found.append((op, parts, change.get("value")))
    return found


def _patched(row: dict, changes) -> dict:
    """The columns that a patch changes."""
    properties = dict(row["properties"])
    values: dict = {}
    _check_reserved(name for _, (name,), _ in changes)
    for op, (name,), value in changes:
        if name in _FIXED:
            raise errors.Forbidden(f"Attribute '{name}' is read-only.")
        if name in WRITABLE:
            if op == "remove":
                raise errors.Forbidden(f"Property {name} may not be removed.")
            values[name] = value
        elif op == "remove":
            if name not in properties:
                raise errors.Conflict(f"Property {name} does not exist.")
            del properties[name]
        elif op == "replace" and name not in properties:
            raise errors.Conflict(f"Property {name} does not exist.")
        else:
            properties[name] = value
    VALID({**properties, **values})
    if "tags" in values:
        values["tags"] = sorted(set(values["tags"]))
    return {**values, "properties": properties}


def update(req, id):
    changes = _operations(req)
    of_locations = [c for c in changes if c[1][0] == "locations"]
    others = [c for c in changes if c not in of_locations]
    sizes = _measured(req, id, of_locations) if of_locations else {}
    with req.svc.db.writer() as connection:
        row = access.image(req, connection, id)
        if others:
            check_rights(req, row, {name: value for _, (name,), value in others})
        else:
            access.check(req, row, "get_image")
        values = _patched(row, others)
        if of_locations:
            values.update(_located({**row, **values}, of_locations, sizes))
        check_change(req, row, values)
        images.update(connection, id, values)
    req.svc.notifier.tell(req.ctx, "image.update", view({**row, **values}))
    return answer(req, {**row, **values})


def check_rights(req, row: dict, said: dict) -> None:
    """:raises Forbidden, NotFound: the caller may not give an image these attributes

    :param said: attribute -> what it is to be
    """
    if said.get("owner", row["owner"]) != row["owner"] and not req.svc.policy.is_admin(req.ctx):
        raise errors.Forbidden("Owner can't be updated by non admin.")
    if isinstance(said.get("visibility"), str):
        _check_visibility(req, said["visibility"], row)
    access.check(req, row, "modify_image")


def check_change(req, row: dict, values: dict) -> None:
    """:raises BadRequest, Forbidden: new values of columns that would not be right"""
    for name in _BOOTABLE:
        if row["status"] != "queued" and values.get(name, row[name]) != row[name]:
            raise errors.Forbidden(f"Attribute {name} can be only replaced for a queued image.")
    _check_reserved(values.get("properties", {}))
    req.svc.protections.check_change(req.ctx, row["properties"], values.get("properties", row["properties"]))
    _check_formats({**row, **values})


def _measured(req, id: str, changes) -> dict[str, int]:
    """The sizes of what a patch's locations name, for whom policy lets change them."""
    if not req.svc.conf.image.show_multiple_locations:
        raise errors.Forbidden("It's not allowed to change locations of images here.")
    rules = {"delete_image_location" if op == "remove" else "set_image_location" for op, _, _ in changes}
    with req.svc.db.reader() as connection:
        row = access.image(req, connection, id, *sorted(rules))
    return locations.measure(row, changes, req.svc.conf.image)


def _located(row: dict, changes, sizes: dict[str, int]) -> dict:
    values = locations.patched(row, changes, sizes)
    require_formats({**row, **values})
    return values


def require_formats(row: dict) -> None:
    """:raises BadRequest: it is not said what the data is"""
    if not row["disk_format"] or not row["container_format"]:
        raise errors.BadRequest("Properties disk_format, container_format must be set prior to saving data.")


def delete(req, id):
    with req.svc.db.writer() as connection:
        row = access.image(req, connection, id, "delete_image")
        if row["protected"]:
            raise errors.Forbidden(f"Image {id} is protected and cannot be deleted.")
        later = req.svc.conf.image.delayed_delete and row["status"] in (images.ACTIONS["delete"][0] or ())
        images.move(connection, id, "delete" if later else "erase")
    if not later:
        req.svc.erase(row)
    req.svc.notifier.tell(req.ctx, "image.delete", view(row))


def _activation(action):
    def handler(req, id):
        with req.svc.db.writer() as connection:
            access.image(req, connection, id, action)
            images.move(connection, id, action)
    return handler


deactivate, reactivate = _activation("deactivate"), _activation("reactivate")

