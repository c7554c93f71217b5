"""Resource classes: what can be allocated. Hosts here have three of them."""

from compute_api.placement.handlers.answers import answer
from compute_api.placement.services import names


def _view(name: str) -> dict:
    return {"name": name, "links": [{"rel": "self", "href": f"/resource_classes/{name}"}]}


def index(req):
    return answer(req, {"resource_classes": [_view(name) for name in names.resource_classes(req.call)]})


def show(req, name):
    return answer(req, _view(names.resource_class(req.call, name)))
