"""The image API's version 1: what is said of an image stands in headers, its data is the body.

``x-image-meta-NAME`` and ``x-image-meta-property-NAME`` say what an image is; ``x-image-meta-location`` names a URL whose
bytes are its data, ``x-glance-api-copy-from`` one that its data is fetched from. A list is JSON. What an image is, who may
do what with it and how its data comes are version 2's; this is another way to say it.
"""

import re
import urllib.parse

from common import db, errors, schema, wsgi
from common.values import unprintable
from image import locations, web
from image.handlers import data
from image.handlers import images as v2
from image.schemas import v1 as schemas
from image.schemas.images import PROPERTIES, VALID
from image.services import v1
from image.services.v1 import number

_META, _PROPERTY = "x_image_meta_", "x_image_meta_property_"
_NUMBERS, _TRUTHS = ("min_disk", "min_ram", "size"), ("is_public", "protected")
_TEXTS = ("id", "name", "disk_format", "container_format", "owner", "checksum", "location")
_SHORT = ("id", "name", "container_format", "disk_format", "checksum")
# What the states of imports are called in an API that knows no imports.
_STATES = {"importing": "saving", "uploading": "saving"}
_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~ -]+")


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
        values[name] = (number(name, text) if name in _NUMBERS else wsgi.bool_value(text) if name in _TRUTHS else text)
    properties = {name.removeprefix(_PROPERTY): _text(raw) for name, raw in sent.items() if name.startswith(_PROPERTY)}
    check(properties, columns(values))
    return values, properties


def check(properties: dict, given: dict) -> None:
    """:raises Forbidden: a property has an attribute's name; :raises BadRequest: a value that version 2 would not take"""
    taken = sorted(set(properties) & set(PROPERTIES))
    if taken:
        raise errors.Forbidden(f"Property '{taken[0]}' has the name of an attribute of images.")
    VALID({**properties, **given})


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


def _source(req, values: dict) -> v1.Source:
    """Where the data of the image is."""
    location, copy_from = values.get("location"), req.headers.get("x-glance-api-copy-from") or None
    if copy_from:
        copy_from = _text(copy_from)
    if sum((bool(location), bool(copy_from), _has_body(req))) > 1:
        raise errors.BadRequest("An image's data is its body, or at a location, or copied from a URL: only one of them.")
    if copy_from:
        web.target(copy_from, req.svc.conf.image)
    size = locations.size(location, req.svc.conf.image) if location else None
    return v1.Source(location, size, copy_from, data.sent(req) if _has_body(req) else None)


def create(req):
    values, properties = _said(req)
    row = v1.create(req.call, {**properties, **columns(values)}, _source(req, values), values.get("checksum"))
    response = wsgi.json_response({"image": view(row)}, 201)
    response.location = f"{req.base_url()}/v1/images/{row['id']}"
    return response


def update(req, id):
    values, properties = _said(req)
    source = _source(req, values)
    said = {k: v for k, v in columns(values).items() if k != "id"}
    # A client that registers an image and then uploads its data does not mean to lose what it said at first.
    purge = wsgi.bool_value(req.headers.get("x-glance-registry-purge-props", "true")) and source.upload is None
    v1.update(req.call, id, said, properties, purge=purge, source=source, checksum=values.get("checksum"))
    return {"image": view(v1.now(req.call, id))}


def show(req, id):
    """Headers for HEAD, headers and data for GET."""
    row = v1.show(req.call, id)
    if req.method == "HEAD":
        response = wsgi.Response(status=200, content_type="text/html")
    else:
        if row["status"] not in ("active", "deactivated"):
            raise errors.NotFound(f"Image {id} is not active")
        response = data.download(req, id)
    response.headerlist.extend(_headers(row))
    response.etag = row["checksum"] or None
    return response


def delete(req, id):
    v2.delete(req, id)
    return wsgi.Response(status=200, content_type="text/html")


def _list(req) -> list[dict]:
    req.svc.policy.check(req.ctx, "get_images")
    key, direction = req.GET.get("sort_key", "created_at"), req.GET.get("sort_dir", "desc")
    if key not in (*_SHORT, "size", "status", "created_at", "updated_at") or direction not in ("asc", "desc"):
        raise errors.BadRequest(f"Invalid sort: {key}:{direction}")
    limit = min(wsgi.int_param(req, "limit", 1000), 1000)
    return [view(row) for row in v1.page(req.call, v2.query(req), (key, direction), limit)]


def index(req):
    return {"images": [{name: row[name] for name in (*_SHORT, "size")} for row in _list(req)]}


def detail(req):
    return {"images": _list(req)}


# Members -------------------------------------------------------------------------

def members_of(req, id):
    return {"members": [{"member_id": m, "can_share": False} for m in v1.members_of(req.call, id)]}


def add_member(req, id, member_id):
    if req.content_length:
        schema.compiled(schemas.MEMBER)(req.json_object())
    if not 0 < len(member_id) <= 64:
        raise errors.BadRequest("The name of a member has 1 to 64 characters.")
    v1.add_member(req.call, id, member_id)


@wsgi.body(schemas.MEMBERS)
def set_members(req, id, body):
    v1.set_members(req.call, id, [m["member_id"] for m in body["memberships"]])


def remove_member(req, id, member_id):
    v1.remove_member(req.call, id, member_id)


def shared_images(req, member_id):
    """What is shared with a project: all of it for itself, for others what they share with it."""
    return {"shared_images": [{"image_id": id, "can_share": False} for id in v1.shared_images(req.call, member_id)]}


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
