"""OS-KSADM's services, and endpoints: three URLs for a service in a region, which are three endpoints in v3."""

from common import wsgi
from identity.handlers.crud import query
from identity.schemas import v2 as schemas
from identity.services import v2
from identity.services.services import NOUN

SERVICE = "OS-KSADM:service"


def _service(found: dict) -> dict:
    return {k: found.get(k) for k in ("id", "name", "type", "description")}


def services(req):
    found = NOUN.index(req.call, query(req))
    return {"OS-KSADM:services": [_service(NOUN.fields(s)) for s in found], "OS-KSADM:services_links": []}


def show_service(req, id):
    return {SERVICE: _service(NOUN.fields(NOUN.show(req.call, id)))}


@wsgi.body(schemas.SERVICE)
def create_service(req, body):
    given = {k: v for k, v in body[SERVICE].items() if k != "id"}
    return {SERVICE: _service(NOUN.fields(NOUN.create(req.call, {"service": given})))}


def delete_service(req, id):
    NOUN.delete(req.call, id)


def _endpoint(id: str, held: list[dict]) -> dict:
    urls = {f"{r['interface']}url": r["url"] for r in held}
    return {"id": id, "region": held[0]["region_id"], "service_id": held[0]["service_id"], **urls}


def index(req):
    return {"endpoints": [{**_endpoint(id, held), "enabled": held[0]["enabled"]} for id, held in v2.endpoints(req.call).items()]}


@wsgi.body(schemas.ENDPOINT)
def create(req, body):
    return {"endpoint": _endpoint(*v2.create_endpoint(req.call, body["endpoint"]))}


def delete(req, id):
    v2.delete_endpoint(req.call, id)
