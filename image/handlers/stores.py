"""What the service says of its stores and of how much of them a project has; and an image's copy in one of them taken away."""

from image.services import stores


def _said(store, default: bool) -> dict:
    found = {"id": store.name, "description": store.description, "weight": store.weight}
    return {**found, **({"default": "true"} if default else {}), **({"read-only": "true"} if store.read_only else {})}


def index(req):
    known = req.svc.stores
    return {"stores": [_said(store, store is known.default) for store in known.all.values()]}


def detail(req):
    req.svc.policy.check(req.ctx, "stores_info_detail", {})
    known = req.svc.stores
    return {"stores": [{**_said(store, store is known.default), "type": store.kind, "properties": store.properties()}
                       for store in known.all.values()]}


def usage(req):
    return {"usage": stores.usage(req.call)}


def delete(req, store, id):
    stores.delete(req.call, store, id)
