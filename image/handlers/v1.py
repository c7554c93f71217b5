"""The image API's version 1: metadata is in headers, the data is the body.

``x-image-meta-NAME`` and ``x-image-meta-property-NAME`` are attributes and properties; ``x-image-meta-location`` is a
URL of the data, ``x-glance-api-copy-from`` a URL that the data is copied from. Lists are JSON. Images, policies and
imports are those of version 2; only the format of requests and responses differs.
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
# The names of import states in version 1, which has no imports.
_STATES = {"importing": "saving", "uploading": "saving"}
_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~ -]+")


def view(row: dict) -> dict:
    shown = {name: row[name] for name in (*_SHORT, "owner", "min_disk", "min_ram", "protected", "virtual_size")}
    return {**shown, "size": row["size"] or 0, "status": _STATES.get(row["status"], row["status"]),
            "is_public": row["visibility"] == "public", "properties": row["properties"], "deleted": False, "deleted_at": None,
            "created_at": db.iso(row["created_at"], zulu=False), "updated_at": db.iso(row["updated_at"], zulu=False)}


def _headers(row: dict) -> list[tuple[str, str]]:
    """``view`` as headers. Properties whose name or text is invalid in a header are omitted, or lose their line breaks."""
    shown = view(row)
    pairs = [(f"property-{name}", value) for name, value in shown.pop("properties").items() if _TOKEN.fullmatch(name)]
    return [(f"x-image-meta-{name}", _plain(value)) for name, value in [*shown.items(), *pairs]]


def _plain(value) -> str:
    text = "" if value is None else re.sub(r"[\x00-\x1f\x7f]+", " ", str(value))
    return text.encode().decode("latin-1")


def _text(raw: str) -> str:
    """The text of a header: UTF-8, which clients of version 1 also percent-encode."""
    try:
        found = urllib.parse.unquote(raw.encode("latin-1").decode(), errors="strict")
    except UnicodeError:
        raise errors.BadRequest("A header is not UTF-8.") from None
    if unprintable(found):
        raise errors.BadRequest("A header has control characters.")
    return found


def _sent(req) -> dict[str, str]:
    """{name: text} of the headers; ``-`` and ``_`` both become ``_``.

    WSGI's environ omits headers that were sent with ``_``, since they could be confused with others. Here they are
    part of the names, and only this handler reads them.
    """
    return {name.lower().replace("-", "_"): raw for name, raw in req.environ.get("headers_raw", req.headers.items())}


def _parsed(req) -> tuple[dict, dict]:
    """({name: value}, {property: text}) of the image in a request's headers. Unknown and read-only names are ignored."""
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
    """:raises Forbidden: a property has an attribute's name; :raises BadRequest: a value that is invalid in version 2"""
    taken = sorted(set(properties) & set(PROPERTIES))
    if taken:
        raise errors.Forbidden(f"Property '{taken[0]}' has the name of an attribute of images.")
    VALID({**properties, **given})


def columns(values: dict) -> dict:
    """The columns to write, with version 2's names and rules."""
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
    """The source of the image's data."""
    location, copy_from = values.get("location"), req.headers.get("x-glance-api-copy-from") or None
    if copy_from:
        copy_from = _text(copy_from)
    if sum((bool(location), bool(copy_from), _has_body(req))) > 1:
        raise errors.BadRequest("Only one of body, location and copy_from can be the source of the image's data.")
    if copy_from:
        web.target(copy_from, req.svc.conf.image)
    size = locations.size(location, req.svc.conf.image) if location else None
    return v1.Source(location, size, copy_from, data.sent(req) if _has_body(req) else None)


def create(req):
    values, properties = _parsed(req)
    row = v1.create(req.call, {**properties, **columns(values)}, _source(req, values), values.get("checksum"))
    response = wsgi.json_response({"image": view(row)}, 201)
    response.location = f"{req.base_url()}/v1/images/{row['id']}"
    return response


def update(req, id):
    values, properties = _parsed(req)
    source = _source(req, values)
    changes = {k: v for k, v in columns(values).items() if k != "id"}
    # A client that first registers an image and then uploads its data expects the earlier properties to be kept.
    purge = wsgi.bool_value(req.headers.get("x-glance-registry-purge-props", "true")) and source.upload is None
    v1.update(req.call, id, changes, properties, purge=purge, source=source, checksum=values.get("checksum"))
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
        raise errors.BadRequest("The id of a member must have 1 to 64 characters.")
    v1.add_member(req.call, id, member_id)


@wsgi.body(schemas.MEMBERS)
def set_members(req, id, body):
    v1.set_members(req.call, id, [m["member_id"] for m in body["memberships"]])


def remove_member(req, id, member_id):
    v1.remove_member(req.call, id, member_id)


def shared_images(req, member_id):
    """The images that are shared with a project: all for the project itself, for others only those that they share
    with it."""
    return {"shared_images": [{"image_id": id, "can_share": False} for id in v1.shared_images(req.call, member_id)]}


def member_routes(base: str) -> list[wsgi.Route]:
    """The same routes for the API and for the registry.

    :param base: prefix of the paths
    """
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
