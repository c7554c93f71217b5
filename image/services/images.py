"""Images: list, create, show, update, delete."""

import functools
import typing
import urllib.parse

from common import context, db, errors, rows, tags, values, wsgi
from common.calls import Call
from image import access, locations, quota
from image.db import images, members
from image.db.models import images as TABLE
from image.schemas.images import VALID, WRITABLE
from image.views import view

Query = typing.Mapping[str, list[str]]  # {name: values} of a request
Operation = tuple[str, list[str], typing.Any]  # (op, parts of the path, value) of a JSON patch
_FIXED = frozenset(("id", "status", "checksum", "os_hash_algo", "os_hash_value", "size", "virtual_size", "created_at",
                    "updated_at", "self", "file", "schema", "direct_url", "locations", "stores"))
_BOOTABLE = frozenset(("disk_format", "container_format"))


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


def has_property(call: Call, name: str, value: str):
    """The WHERE of images with a property. Callers cannot search for properties that they may not read."""
    if not call.svc.protections.allows(call.ctx, "read", name):
        return rows.NONE
    return TABLE.c.properties[name].as_string() == value


def _filters(call: Call, query: Query) -> list:
    found = []
    for name, raw in ((n, v) for n, given in query.items() for v in given):
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
            found.append(has_property(call, name, raw))
    if "os_hidden" not in query:
        found.append(~TABLE.c.os_hidden)
    if not {"visibility", "owner", "id"} & set(query) and not call.svc.policy.is_admin(call.ctx):
        found.append(rows.any_of(TABLE.c.visibility != "community", TABLE.c.owner == call.ctx.project_id))
    return found


def _sort(query: Query) -> list[tuple[str, str]]:
    if "sort" in query:
        pairs = [p.partition(":") for p in query["sort"][-1].split(",")]
        keys = [(k.strip(), d or "desc") for k, _, d in pairs]
    else:
        names = query.get("sort_key") or ["created_at"]
        directions = query.get("sort_dir") or ["desc"]
        keys = list(zip(names, directions + [directions[-1]] * len(names)))
    for name, direction in keys:
        if name not in images.COLUMNS or direction not in ("asc", "desc"):
            raise errors.BadRequest(f"Invalid sort: {name}:{direction}")
    if "created_at" not in [k for k, _ in keys]:
        keys.append(("created_at", "desc"))
    return keys


def _member_status(query: Query) -> str:
    status = query.get("member_status", ["accepted"])[-1]
    if status not in (*members.STATUSES, "all"):
        raise errors.BadRequest(f"Invalid status: {status}")
    return status


def page_where(call: Call, *, where: list, sort: list, limit: int, marker: str | None, member_status: str
               ) -> tuple[list[dict], dict | None]:
    """(the images of a page that the caller may see, the last row of the page)."""
    if not limit:
        return [], None
    seen = images.THERE if call.svc.policy.sees_all_projects(call.ctx) else images.listed(call.ctx.project_id, member_status)
    with call.svc.db.reader() as connection:
        found = images.index(connection, where=[seen, *where], sort=sort, limit=limit,
                             marker_row=access.image(call, connection, marker) if marker else None)
    return [r for r in found if access.allows(call, "get_image", r)], found[-1] if len(found) == limit else None


def page(call: Call, query: Query, limit: int) -> tuple[list[dict], dict | None]:
    """A page of a list; the return value is that of ``page_where``."""
    call.svc.policy.check(call.ctx, "get_images")
    return page_where(call, where=_filters(call, query), sort=_sort(query), limit=limit,
                      marker=query.get("marker", [None])[-1], member_status=_member_status(query))


def _check_visibility(call: Call, visibility: str, row: dict) -> None:
    rule = {"public": "publicize_image", "community": "communitize_image"}.get(visibility)
    if rule:
        call.svc.policy.check(call.ctx, rule, access.target(call, row))


def _check_formats(row: dict) -> None:
    """ami, aki and ari are both a disk and a container format, and must agree."""
    disk, container = row["disk_format"], row["container_format"]
    amazon = ("ami", "aki", "ari")
    if disk and container and (disk in amazon or container in amazon) and disk != container:
        raise errors.BadRequest("Invalid mix of disk and container formats. When setting a disk or container format "
                                "to one of 'aki', 'ari', or 'ami', the container and disk formats must match.")


def create(call: Call, body: dict) -> dict:
    """:param body: as the client sent it"""
    row = new_row(call, body)
    limits = call.svc.quota.limits(row["owner"])
    with call.svc.db.writer() as connection:
        insert(call, connection, row, limits)
    call.svc.notifier.notify(call.ctx, "image.create", view(row))
    return row


def _check_reserved(names) -> None:
    """:raises Forbidden: reserved names"""
    reserved = sorted(n for n in names if n.startswith("os_glance"))
    if reserved:
        raise errors.Forbidden(f"Attribute '{reserved[0]}' is reserved.")


def _check_new(call: Call, owner: str | None, visibility: str) -> None:
    """:raises Forbidden: the caller may not create images, or not with this visibility or owner"""
    of = {"project_id": owner, "owner": owner, "visibility": visibility}
    if owner != call.ctx.project_id and not call.svc.policy.allows(call.ctx, "add_image", of):
        raise errors.Forbidden(f"You are not permitted to create images owned by '{owner}'")
    call.svc.policy.check(call.ctx, "add_image", of)
    _check_visibility(call, visibility, of)


def new_row(call: Call, body: dict) -> dict:
    """The row of a new image, after all checks that do not need the database."""
    refused = _FIXED & set(body) - {"id"}
    if refused:
        raise errors.Forbidden(f"Attribute '{sorted(refused)[0]}' is read-only.")
    VALID(body)
    _check_reserved(body)
    owner, visibility = body.get("owner", call.ctx.project_id), body.get("visibility", "shared")
    _check_new(call, owner, visibility)
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
    call.svc.protections.check_change(call.ctx, {}, row["properties"])
    return row


def insert(call: Call, connection, row: dict, limits: dict[str, int]) -> None:
    """:param limits: as returned by ``Quota.limits``
    :raises TooLarge: the project has reached its limit
    :raises Conflict: the id is in use, or was
    """
    call.svc.quota.check(connection, row["owner"], limits, quota.COUNT)
    rows.insert(connection, TABLE, row, conflict=f"Image ID {row['id']} already exists!")
    if images.retired(connection, row["id"]):  # checked after the insert, which waits for a concurrent deletion
        raise errors.Conflict(f"Image ID {row['id']} already exists!")


def show(call: Call, id: str) -> dict:
    with call.svc.db.reader() as connection:
        return access.image(call, connection, id, "get_image")


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


def update(call: Call, id: str, changes: list[Operation]) -> dict:
    """Returns the image after the change."""
    of_locations = [c for c in changes if c[1][0] == "locations"]
    others = [c for c in changes if c not in of_locations]
    sizes = _measured(call, id, of_locations) if of_locations else {}
    with call.svc.db.writer() as connection:
        row = access.image(call, connection, id)
        if others:
            check_rights(call, row, {name: value for _, (name,), value in others})
        else:
            access.check(call, row, "get_image")
        values = _patched(row, others)
        if of_locations:
            values.update(_located({**row, **values}, of_locations, sizes))
        check_change(call, row, values)
        images.update(connection, id, values)
    call.svc.notifier.notify(call.ctx, "image.update", view({**row, **values}))
    return {**row, **values}


def check_rights(call: Call, row: dict, changes: dict) -> None:
    """:param changes: {attribute: new value}
    :raises Forbidden, NotFound: the caller may not set these attributes
    """
    if changes.get("owner", row["owner"]) != row["owner"] and not call.svc.policy.is_admin(call.ctx):
        raise errors.Forbidden("Owner can't be updated by non admin.")
    if isinstance(changes.get("visibility"), str):
        _check_visibility(call, changes["visibility"], row)
    access.check(call, row, "modify_image")


def check_change(call: Call, row: dict, values: dict) -> None:
    """:raises BadRequest, Forbidden: invalid new values of columns"""
    for name in _BOOTABLE:
        if row["status"] != "queued" and values.get(name, row[name]) != row[name]:
            raise errors.Forbidden(f"Attribute {name} can be only replaced for a queued image.")
    _check_reserved(values.get("properties", {}))
    call.svc.protections.check_change(call.ctx, row["properties"], values.get("properties", row["properties"]))
    _check_formats({**row, **values})


def _measured(call: Call, id: str, changes) -> dict[str, int]:
    """The sizes of new locations in a patch, if the caller may change locations."""
    if not call.svc.conf.image.show_multiple_locations:
        raise errors.Forbidden("Locations of images cannot be changed in this cloud.")
    rules = {"delete_image_location" if op == "remove" else "set_image_location" for op, _, _ in changes}
    with call.svc.db.reader() as connection:
        row = access.image(call, connection, id, *sorted(rules))
    return locations.measure(row, changes, call.svc.conf.image)


def _located(row: dict, changes, sizes: dict[str, int]) -> dict:
    values = locations.patched(row, changes, sizes)
    require_formats({**row, **values})
    return values


def require_formats(row: dict) -> None:
    """:raises BadRequest: disk_format or container_format is not set"""
    if not row["disk_format"] or not row["container_format"]:
        raise errors.BadRequest("Properties disk_format, container_format must be set prior to saving data.")


def delete(call: Call, id: str) -> None:
    with call.svc.db.writer() as connection:
        row = access.image(call, connection, id, "delete_image")
        if row["protected"]:
            raise errors.Forbidden(f"Image {id} is protected and cannot be deleted.")
        later = call.svc.conf.image.delayed_delete and row["status"] in (images.ACTIONS["delete"][0] or ())
        images.move(connection, id, "delete" if later else "erase")
    if not later:
        call.svc.erase(row)
    call.svc.notifier.notify(call.ctx, "image.delete", view(row))


def activate(call: Call, id: str, action: str) -> None:
    """:param action: "deactivate" or "reactivate", also the name of the rule"""
    with call.svc.db.writer() as connection:
        access.image(call, connection, id, action)
        images.move(connection, id, action)
