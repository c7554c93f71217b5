"""Stores: their description, a project's usage, and deletion of an image's copy from one of them."""

from image.services import stores


def _view(store, default: bool) -> dict:
    found = {"id": store.name, "description": store.description, "weight": store.weight}
    return {**found, **({"default": "true"} if default else {}), **({"read-only": "true"} if store.read_only else {})}


def index(req):
    known = req.svc.stores
    return {"stores": [_view(store, store is known.default) for store in known.all.values()]}


def detail(req):
    req.svc.policy.check(req.ctx, "stores_info_detail", {})
    known = req.svc.stores
    return {"stores": [{**_view(store, store is known.default), "type": store.kind, "properties": store.properties()}
                       for store in known.all.values()]}


def usage(req):
    return {"usage": stores.usage(req.call)}


def delete(req, store, id):
    stores.delete(req.call, store, id)
