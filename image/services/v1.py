"""Requests of version 1, and of its registry, that correspond to several requests of version 2."""

import typing

from common import errors, rows, wsgi
from common.calls import Call
from common.values import INT64, integer
from image import access, locations, quota
from image.db import images, members
from image.db.models import images as TABLE
from image.services import data
from image.services import images as v2
from image.views import readable, view


def number(name: str, text: str) -> int:
    return integer(text, f"image {name}", high=INT64)


class Source(typing.NamedTuple):
    """The source of an image's data: a location with its size, a URL to copy from, the request's body, or none."""

    location: str | None = None
    size: int | None = None
    copy_from: str | None = None
    upload: data.Upload | None = None

    def __bool__(self) -> bool:
        return bool(self.location or self.copy_from or self.upload)


def _give(call: Call, connection, row: dict, source: Source, checksum: str | None, limits: dict[str, int]
          ) -> typing.Callable[[], typing.Any]:
    """Begin to set the data of a queued image, within the transaction; returns a function to call after the commit."""
    if not source:
        return lambda: None
    v2.require_formats(row)
    access.check(call, row, "upload_image")
    if source.location:
        access.check(call, row, "set_image_location")
        patch = [("add", ["locations", "-"], {"url": source.location, "metadata": {}})]
        changed = locations.patched(row, patch, {source.location: source.size or 0})
        images.update(connection, row["id"], changed)
        return lambda: None
    call.svc.quota.check(connection, row["owner"], limits, quota.SIZE, quota.UPLOADING)
    if source.copy_from:
        images.move(connection, row["id"], "import")
        task = call.svc.imports.begin(connection, call.ctx, row, {"name": "web-download", "uri": source.copy_from},
                                     stores=[call.svc.stores.default.name])
        return lambda: call.svc.imports.start(task, row)
    images.move(connection, row["id"], "upload")
    assert source.upload is not None
    upload = source.upload
    return lambda: data.receive(call, row, upload, checksum=checksum)


def now(call: Call, id: str) -> dict:
    """The image, and the attributes that the caller may see."""
    with call.svc.db.reader() as connection:
        return readable(call, images.get(connection, id))


def create(call: Call, values: dict, source: Source, checksum: str | None = None) -> dict:
    """Create an image and set its data; returns the image, and the attributes that the caller may see.

    :param values: attributes and properties, with version 2's names
    :param checksum: the MD5 that the data must have, if known
    """
    row = v2.new_row(call, {"visibility": "shared", **values})
    limits = call.svc.quota.limits(row["owner"])
    with call.svc.db.writer() as connection:
        v2.insert(call, connection, row, limits)
        begin = _give(call, connection, row, source, checksum, limits)
    begin()
    call.svc.notifier.notify(call.ctx, "image.create", view(row))
    return now(call, row["id"])


def register(call: Call, values: dict) -> dict:
    """Create an image in the registry; returns the row."""
    row = v2.new_row(call, {"visibility": "shared", **values})
    limits = call.svc.quota.limits(row["owner"])
    with call.svc.db.writer() as connection:
        v2.insert(call, connection, row, limits)
    call.svc.notifier.notify(call.ctx, "image.create", view(row))
    return row


def kept_properties(call: Call, row: dict, purge: bool) -> dict:
    """The properties that remain when a request contains properties: with ``purge``, those that the caller may not delete."""
    return {k: v for k, v in row["properties"].items() if not purge or not call.svc.protections.allows(call.ctx, "delete", k)}


def update(call: Call, id: str, changes: dict, properties: dict, *, purge: bool, source: Source | None = None,
           checksum: str | None = None) -> dict:
    """Change an image, and set its data; returns the new row.

    :param changes: attributes, with version 2's names
    :param purge: delete properties that are not in the request
    """
    source = source or Source()
    limits = call.svc.quota.limits_of(id) if source else {}
    with call.svc.db.writer() as connection:
        row = access.image(call, connection, id)
        v2.check_rights(call, row, changes)
        if source and row["status"] != "queued":
            raise errors.Conflict(f"Cannot upload to an image in status {row['status']}: it has data already.")
        changed = {**changes, "properties": {**kept_properties(call, row, purge), **properties}}
        v2.check_change(call, row, changed)
        images.update(connection, id, changed)
        begin = _give(call, connection, {**row, **changed}, source, checksum, limits)
    begin()
    call.svc.notifier.notify(call.ctx, "image.update", view({**row, **changed}))
    return {**row, **changed}


def show(call: Call, id: str) -> dict:
    return readable(call, v2.show(call, id))


def page(call: Call, query: typing.Mapping[str, list[str]], sort: tuple[str, str], limit: int) -> list[dict]:
    """:param query: filters and ``marker`` of the request"""
    where = [~TABLE.c.os_hidden, *_filters(call, query)]
    found, _ = v2.page_where(call, where=where, sort=[sort], limit=limit, marker=query.get("marker", [None])[-1],
                             member_status="all")
    return [readable(call, row) for row in found]


def _filters(call: Call, query: typing.Mapping[str, list[str]]) -> list:
    found = []
    for name, raw in ((n, v) for n, given in query.items() for v in given):
        if name.startswith("property-"):
            found.append(v2.has_property(call, name.removeprefix("property-"), raw))
        elif name in ("name", "container_format", "disk_format", "status"):
            found.append(TABLE.c[name] == raw)
        elif name in ("min_ram", "min_disk"):
            found.append(TABLE.c[name] == number(name, raw))
        elif name in ("size_min", "size_max"):
            column, bound = images.SIZE, number(name, raw)
            found.append(column >= bound if name == "size_min" else column <= bound)
        elif name == "protected":
            found.append(TABLE.c.protected == wsgi.bool_value(raw))
        elif name == "changes-since":
            found.append(TABLE.c.updated_at >= wsgi.moment(name, raw))
        elif name == "is_public" and raw.lower() != "none":
            found.append((TABLE.c.visibility == "public") == wsgi.bool_value(raw))
    return found


# Members -------------------------------------------------------------------------

def _shared(connection, call: Call, id: str, *rules: str) -> dict:
    """:raises Forbidden: the caller may not share this image"""
    row = access.image(call, connection, id, "get_image", *rules)
    if row["visibility"] == "public":
        raise errors.Forbidden("A public image has no members.")
    return row


def members_of(call: Call, id: str) -> list[str]:
    """The projects that an image is shared with."""
    with call.svc.db.reader() as connection:
        row = access.image(call, connection, id, "get_image")
        found = members.of(connection, id)
    if row["owner"] != call.ctx.project_id and not call.svc.policy.sees_all_projects(call.ctx):
        found = [m for m in found if m["member_id"] == call.ctx.project_id]
    found = found if access.allows(call, "get_members", row) else []
    return [m["member_id"] for m in found]


def _add(call: Call, connection, id: str, wanted: list[str]) -> None:
    """An existing member keeps its status."""
    known = {m["member_id"] for m in members.of(connection, id)}
    limit = call.svc.conf.image.image_member_quota
    if 0 <= limit < len(known | set(wanted)):
        raise errors.TooLarge(f"The limit has been exceeded on the number of allowed image members for this image. "
                              f"Attempted: {len(known | set(wanted))}, Maximum: {limit}")
    for member in dict.fromkeys(wanted):
        if member not in known:
            members.add(connection, id, member)


def add_member(call: Call, id: str, member_id: str) -> None:
    with call.svc.db.writer() as connection:
        row = _shared(connection, call, id, "add_member")
        _add(call, connection, id, [member_id])
        images.update(connection, id, {"visibility": "shared"} if row["visibility"] == "private" else {})


def set_members(call: Call, id: str, wanted: list[str]) -> None:
    with call.svc.db.writer() as connection:
        _shared(connection, call, id, "add_member", "delete_member")
        for gone in {m["member_id"] for m in members.of(connection, id)} - set(wanted):
            members.remove(connection, id, gone)
        _add(call, connection, id, wanted)


def remove_member(call: Call, id: str, member_id: str) -> None:
    with call.svc.db.writer() as connection:
        _shared(connection, call, id, "delete_member")
        members.remove(connection, id, member_id)


def shared_images(call: Call, member_id: str) -> list[str]:
    """The images that are shared with a project: all for the project itself, for others only those that they share
    with it."""
    call.svc.policy.check(call.ctx, "get_images")
    where = [TABLE.c.id.in_(members.shared_with(member_id)), images.THERE]
    if not call.svc.policy.is_admin(call.ctx):
        where.append(images.visible(call.ctx.project_id))
        if member_id != call.ctx.project_id:
            where.append(TABLE.c.owner == call.ctx.project_id)
    with call.svc.db.reader() as connection:
        found = rows.select(connection, TABLE, *where)
    return [image["id"] for image in found]
