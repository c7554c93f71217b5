"""The image API's version 1: what is said of an image stands in headers, its data is the body.

``x-image-meta-NAME`` and ``x-image-meta-property-NAME`` say what an image is; ``x-image-meta-location`` names a URL whose
bytes are its data, ``x-glance-api-copy-from`` one that its data is fetched from. A list is JSON. What an image is, who may
do what with it and how its data comes are version 2's; this is another way to say it.
"""

import re
import urllib.parse

from common import db, errors, rows, schema, wsgi
from common.values import INT64, integer, unprintable
from image import access, locations, quota, web
from image.db import images, members
from image.db.models import images as TABLE
from image.handlers import data
from image.handlers import images as v2
from image.handlers.schemas import PROPERTIES

_META, _PROPERTY = "x_image_meta_", "x_image_meta_property_"
_NUMBERS, _TRUTHS = ("min_disk", "min_ram", "size"), ("is_public", "protected")
_TEXTS = ("id", "name", "disk_format", "container_format", "owner", "checksum", "location")
_SHORT = ("id", "name", "container_format", "disk_format", "checksum")
# What the states of imports are called in an API that knows no imports.
_STATES = {"importing": "saving", "uploading": "saving"}
_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~ -]+")
_MEMBER = schema.obj({"member": schema.obj({"can_share": {"type": "boolean"}}, [], extra=True)}, [], extra=True)
_MEMBERS = schema.obj({"memberships": {"type": "array", "maxItems": 1000, "items": schema.obj(
    {"member_id": {"type": "string", "minLength": 1, "maxLength": 64}, "can_share": {"type": "boolean"}}, ["member_id"],
    extra=True)}}, ["memberships"], extra=True)


def view(row: dict) -> dict:
    shown = {name: row[name] for name in (*_SHORT, "owner", "min_disk", "min_ram", "protected", "virtual_size")}
    return {**shown, "size": row["size"] or 0, "status": _STATES.get(row["status"], row["status"]),
            "is_public": row["visibility"] == "public", "properties": row["properties"], "deleted": False, "deleted_at": None,
            "created_at": db.iso(row["created_at"], zulu=False), "updated_at": db.iso(row["updated_at"], zulu=False)}


def _headers(row: dict) -> list[tuple[str, str]]:
    """``view`` as headers. What cannot stand in one (a property may have any name and text) is left out or loses its lines."""
    shown = view(row)
    pairs = [(f"property-{name}", value) for name, value in shown.pop("properties").items() if _TOKEN.fullmatch(name)]
    return [(f"x-image-meta-{name}", _plain(value)) for name, value in [*shown.items(), *pairs]]


def _plain(value) -> str:
    text = "" if value is None else re.sub(r"[\x00-\x1f\x7f]+", " ", str(value))
    return text.encode().decode("latin-1")


def _text(raw: str) -> str:
    """A header's text: UTF-8, which clients of the time also percent-encode."""
    try:
        found = urllib.parse.unquote(raw.encode("latin-1").decode(), errors="strict")
    except UnicodeError:
        raise errors.BadRequest("A header is not UTF-8.") from None
    if unprintable(found):
        raise errors.BadRequest("A header has control characters.")
    return found


def _number(name: str, text: str) -> int:
    return integer(text, f"image {name}", high=INT64)


def _sent(req) -> dict[str, str]:
    """{name: text} of the headers, ``-`` and ``_`` alike as ``_``. WSGI's environ has none whose name was sent with ``_``, since
    such can pass for another; here it is part of the names, and nothing but this handler reads them."""
    return {name.lower().replace("-", "_"): raw for name, raw in req.environ.get("headers_raw", req.headers.items())}


def _said(req) -> tuple[dict, dict]:
    """({name: value}, {property: text}) that a request's headers say of its image. Unknown and read-only names are not read."""
    values: dict = {}
    sent = _sent(req)
    for name in (*_TEXTS, *_NUMBERS, *_TRUTHS):
        raw = sent.get(_META + name)
        if raw is None or raw == "" and name != "name":
            continue
        text = _text(raw)
        values[name] = (_number(name, text) if name in _NUMBERS else wsgi.bool_value(text) if name in _TRUTHS else text)
    properties = {name.removeprefix(_PROPERTY): _text(raw) for name, raw in sent.items() if name.startswith(_PROPERTY)}
    check(properties, columns(values))
    return values, properties


def check(properties: dict, given: dict) -> None:
    """:raises Forbidden: a property has an attribute's name; :raises BadRequest: a value that version 2 would not take"""
    taken = sorted(set(properties) & set(PROPERTIES))
    if taken:
        raise errors.Forbidden(f"Property '{taken[0]}' has the name of an attribute of images.")
    v2.VALID({**properties, **given})


def columns(values: dict) -> dict:
    """Of what was said, what an image's row keeps, by version 2's names and rules."""
    kept = {name: values[name] for name in ("id", "name", "disk_format", "container_format", "owner", "min_disk", "min_ram",
                                            "protected") if name in values}
    if "is_public" in values:
        kept["visibility"] = "public" if values["is_public"] else "shared"
    return kept


def _has_body(req) -> bool:
    sent = bool(req.content_length) or "chunked" in req.headers.get("Transfer-Encoding", "").lower()
    if sent:
        data.require_octets(req)
    return sent


def _source(req, values: dict) -> tuple[str | None, str | None]:
    """(location, copy_from): where else than in the body the data is."""
    location, copy_from = values.get("location"), req.headers.get("x-glance-api-copy-from") or None
    if copy_from:
        copy_from = _text(copy_from)
    if sum((bool(location), bool(copy_from), _has_body(req))) > 1:
        raise errors.BadRequest("An image's data is its body, or at a location, or copied from a URL: only one of them.")
    if copy_from:
        web.target(copy_from, req.svc.conf.image)
    return location, copy_from


def create(req):
    values, properties = _said(req)
    location, copy_from = _source(req, values)
    size = locations.size(location, req.svc.conf.image) if location else None
    row = v2.new_row(req, {"visibility": "shared", **properties, **columns(values)})
    limits = req.svc.quota.limits(row["owner"])
    with req.svc.db.writer() as connection:
        v2.insert(req, connection, row, limits)
        begin = _give(req, connection, row, values, location, size, copy_from, limits)
    begin()
    req.svc.notifier.tell(req.ctx, "image.create", v2.view(row))
    response = wsgi.json_response({"image": _now(req, row["id"])}, 201)
    response.location = f"{req.base_url()}/v1/images/{row['id']}"
    return response


def _give(req, connection, row: dict, values: dict, location: str | None, size: int | None, copy_from: str | None, limits):
    """Begin to give a queued image its data, within the transaction; returns what is to be done after it."""
    if not (location or copy_from or _has_body(req)):
        return lambda: None
    v2.require_formats(row)
    access.check(req, row, "upload_image")
    if location:
        access.check(req, row, "set_image_location")
        patch = [("add", ["locations", "-"], {"url": location, "metadata": {}})]
        changed = locations.patched(row, patch, {location: size or 0})
        images.update(connection, row["id"], changed)
        return lambda: None
    req.svc.quota.check(connection, row["owner"], limits, quota.SIZE, quota.UPLOADING)
    if copy_from:
        images.move(connection, row["id"], "import")
        task = req.svc.imports.begin(connection, req.ctx, row, {"name": "web-download", "uri": copy_from},
                                     stores=[req.svc.stores.default.name])
        return lambda: req.svc.imports.start(task, row)
    images.move(connection, row["id"], "upload")
    return lambda: data.receive(req, row, checksum=values.get("checksum"))


def _now(req, id: str) -> dict:
    with req.svc.db.reader() as connection:
        return view(v2.readable(req, images.get(connection, id)))


def kept(req, row: dict, purge: bool) -> dict:
    """The properties that stay when a caller says what they are: with ``purge``, what he may not take away."""
    return {k: v for k, v in row["properties"].items() if not purge or not req.svc.protections.allows(req.ctx, "delete", k)}


def update(req, id):
    values, properties = _said(req)
    location, copy_from = _source(req, values)
    size = locations.size(location, req.svc.conf.image) if location else None
    said = {k: v for k, v in columns(values).items() if k != "id"}
    # A client that registers an image and then uploads its data does not mean to lose what it said at first.
    purge = wsgi.bool_value(req.headers.get("x-glance-registry-purge-props", "true")) and not _has_body(req)
    limits = req.svc.quota.limits_of(id)
    with req.svc.db.writer() as connection:
        row = access.image(req, connection, id)
        v2.check_rights(req, row, said)
        if (location or copy_from or _has_body(req)) and row["status"] != "queued":
            raise errors.Conflict(f"Cannot upload to an image in status {row['status']}: it has its data.")
        changed = {**said, "properties": {**kept(req, row, purge), **properties}}
        v2.check_change(req, row, changed)
        images.update(connection, id, changed)
        begin = _give(req, connection, {**row, **changed}, values, location, size, copy_from, limits)
    begin()
    req.svc.notifier.tell(req.ctx, "image.update", v2.view({**row, **changed}))
    return {"image": _now(req, id)}


def show(req, id):
    """Headers for HEAD, headers and data for GET."""
    with req.svc.db.reader() as connection:
        row = access.image(req, connection, id, "get_image")
    if req.method == "HEAD":
        response = wsgi.Response(status=200, content_type="text/html")
    else:
        if row["status"] not in ("active", "deactivated"):
            raise errors.NotFound(f"Image {id} is not active")
        response = data.download(req, id)
    response.headerlist.extend(_headers(v2.readable(req, row)))
    response.etag = row["checksum"] or None
    return response


def delete(req, id):
    v2.delete(req, id)
    return wsgi.Response(status=200, content_type="text/html")


def _filters(req) -> list:
    found = []
    for name, raw in req.GET.items():
        if name.startswith("property-"):
            found.append(v2.has_property(req, name.removeprefix("property-"), raw))
        elif name in ("name", "container_format", "disk_format", "status"):
            found.append(TABLE.c[name] == raw)
        elif name in ("min_ram", "min_disk"):
            found.append(TABLE.c[name] == _number(name, raw))
        elif name in ("size_min", "size_max"):
            column, bound = images.SIZE, _number(name, raw)
            found.append(column >= bound if name == "size_min" else column <= bound)
        elif name == "protected":
            found.append(TABLE.c.protected == wsgi.bool_value(raw))
        elif name == "changes-since":
            found.append(TABLE.c.updated_at >= wsgi.moment(name, raw))
        elif name == "is_public" and raw.lower() != "none":
            found.append((TABLE.c.visibility == "public") == wsgi.bool_value(raw))
    return found


def _list(req) -> list[dict]:
    req.svc.policy.check(req.ctx, "get_images")
    key, direction = req.GET.get("sort_key", "created_at"), req.GET.get("sort_dir", "desc")
    if key not in (*_SHORT, "size", "status", "created_at", "updated_at") or direction not in ("asc", "desc"):
        raise errors.BadRequest(f"Invalid sort: {key}:{direction}")
    limit = min(wsgi.int_param(req, "limit", 1000), 1000)
    found, _ = v2.page(req, where=[~TABLE.c.os_hidden, *_filters(req)], sort=[(key, direction)], limit=limit,
                       member_status="all")
    return [view(v2.readable(req, row)) for row in found]


def index(req):
    return {"images": [{name: row[name] for name in (*_SHORT, "size")} for row in _list(req)]}


def detail(req):
    return {"images": _list(req)}


# Members -------------------------------------------------------------------------

def _shared(connection, req, id: str, *rules: str) -> dict:
    """:raises Forbidden: not one of those whom the caller may share with others"""
    row = access.image(req, connection, id, "get_image", *rules)
    if row["visibility"] == "public":
        raise errors.Forbidden("A public image has no members.")
    return row


def members_of(req, id):
    with req.svc.db.reader() as connection:
        row = access.image(req, connection, id, "get_image")
        found = members.of(connection, id)
    if row["owner"] != req.ctx.project_id and not req.svc.policy.sees_all_projects(req.ctx):
        found = [m for m in found if m["member_id"] == req.ctx.project_id]
    found = found if access.allows(req, "get_members", row) else []
    return {"members": [{"member_id": m["member_id"], "can_share": False} for m in found]}


def _add(req, connection, id: str, wanted: list[str]) -> None:
    """A member that was there stays, with what it answered."""
    known = {m["member_id"] for m in members.of(connection, id)}
    limit = req.svc.conf.image.image_member_quota
    if 0 <= limit < len(known | set(wanted)):
        raise errors.TooLarge(f"The limit has been exceeded on the number of allowed image members for this image. "
                              f"Attempted: {len(known | set(wanted))}, Maximum: {limit}")
    for member in dict.fromkeys(wanted):
        if member not in known:
            members.add(connection, id, member)


def add_member(req, id, member_id):
    if req.content_length:
        schema.compiled(_MEMBER)(req.json_object())
    if not 0 < len(member_id) <= 64:
        raise errors.BadRequest("The name of a member has 1 to 64 characters.")
    with req.svc.db.writer() as connection:
        row = _shared(connection, req, id, "add_member")
        _add(req, connection, id, [member_id])
        images.update(connection, id, {"visibility": "shared"} if row["visibility"] == "private" else {})


@wsgi.body(_MEMBERS)
def set_members(req, id, body):
    wanted = [m["member_id"] for m in body["memberships"]]
    with req.svc.db.writer() as connection:
        _shared(connection, req, id, "add_member", "delete_member")
        for gone in {m["member_id"] for m in members.of(connection, id)} - set(wanted):
            members.remove(connection, id, gone)
        _add(req, connection, id, wanted)


def remove_member(req, id, member_id):
    with req.svc.db.writer() as connection:
        _shared(connection, req, id, "delete_member")
        members.remove(connection, id, member_id)


def shared_images(req, member_id):
    """What is shared with a project: all of it for itself, for others what they share with it."""
    req.svc.policy.check(req.ctx, "get_images")
    where = [TABLE.c.id.in_(members.shared_with(member_id)), images.THERE]
    if not req.svc.policy.is_admin(req.ctx):
        where.append(images.visible(req.ctx.project_id))
        if member_id != req.ctx.project_id:
            where.append(TABLE.c.owner == req.ctx.project_id)
    with req.svc.db.reader() as connection:
        found = rows.select(connection, TABLE, *where)
    return {"shared_images": [{"image_id": image["id"], "can_share": False} for image in found]}


def member_routes(base: str) -> list[wsgi.Route]:
    """The same for the API and for the registry. :param base: what their paths begin with"""
    of = f"{base}/images/{{id}}/members"
    return [wsgi.Route("GET", of, members_of), wsgi.Route("PUT", of, set_members, 204),
            wsgi.Route("PUT", f"{of}/{{member_id}}", add_member, 204),
            wsgi.Route("DELETE", f"{of}/{{member_id}}", remove_member, 204),
            wsgi.Route("GET", f"{base}/shared-images/{{member_id}}", shared_images)]


def routes() -> list[wsgi.Route]:
    one = "/v1/images/{id}"
    return [wsgi.Route("GET", "/v1/images", index), wsgi.Route("POST", "/v1/images", create, 201),
            wsgi.Route("DELETE", "/v1/images", v2.delete_nothing), wsgi.Route("GET", "/v1/images/detail", detail),
            wsgi.Route("HEAD", one, show), wsgi.Route("GET", one, show), wsgi.Route("PUT", one, update),
            wsgi.Route("DELETE", one, delete), *member_routes("/v1")]
