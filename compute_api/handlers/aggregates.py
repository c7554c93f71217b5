"""Host aggregates: groups of hosts, and the availability zones that they make."""

from common import db, errors, values, wsgi
from compute_api.schemas import aggregates as schemas
from compute_api.services import aggregates
from conductor.db.aggregates import ZONE

ACTIONS = tuple(schemas.ACTIONS)


def _view(req, row: dict) -> dict:
    moments = {name: db.iso(row[name], zulu=False, micro=True) for name in ("created_at", "updated_at")}
    return {"id": row["id"], "name": row["name"], "hosts": row["hosts"], "metadata": row["metadata"],
            "availability_zone": row["metadata"].get(ZONE), **moments, "deleted": False, "deleted_at": None,
            **({"uuid": row["uuid"]} if req.version >= (2, 41) else {})}


def _number(id: str) -> int:
    """:raises BadRequest: it is none"""
    try:
        return values.integer(id, "id", -values.INT32)  # a negative one is not found
    except errors.BadRequest as error:
        raise errors.BadRequest("Invalid input received: id must be an integer", internal=str(error)) from error


def index(req):
    return {"aggregates": [_view(req, row) for row in aggregates.index(req.call)]}


@wsgi.body(schemas.CREATE)
def create(req, body):
    given = body["aggregate"]
    made = aggregates.create(req.call, given["name"].strip(), (given.get("availability_zone") or "").strip() or None)
    return {"aggregate": {name: value for name, value in _view(req, made).items() if name not in ("hosts", "metadata")}}


def show(req, id):
    return {"aggregate": _view(req, aggregates.show(req.call, _number(id)))}


@wsgi.body(schemas.UPDATE)
def update(req, id, body):
    given = {name: value and value.strip() for name, value in body["aggregate"].items()}
    return {"aggregate": _view(req, aggregates.update(req.call, _number(id), given))}


def delete(req, id):
    aggregates.delete(req.call, _number(id))


@wsgi.body(schemas.ACTION)
def act(req, id, body):
    name, arguments = next(iter(body.items()))
    number = _number(id)
    if name == "set_metadata":
        found = aggregates.set_metadata(req.call, number, arguments["metadata"])
    else:
        change = {"add_host": aggregates.add_host, "remove_host": aggregates.remove_host}[name]
        found = change(req.call, number, arguments["host"])
    return {"aggregate": _view(req, found)}


@wsgi.body(schemas.IMAGES)
def cache_images(req, id, body):
    aggregates.cache_images(req.call, _number(id), [image["id"] for image in body["cache"]])
