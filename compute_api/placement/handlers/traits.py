"""Traits: what hosts can do."""

from common import errors
from compute_api.placement.handlers import queries
from compute_api.placement.handlers.answers import answer
from compute_api.placement.services import names


def _chosen(text: str | None):
    """A test of names by the parameter ``name``. :raises BadRequest: it has another form"""
    if text is None:
        return lambda name: True
    operator, colon, value = text.partition(":")
    if not colon:
        raise errors.BadRequest("Badly formatted name parameter. Expected name query string parameter in form: "
                                f'?name=[in|startswith]:[name1,name2|prefix]. Got: "{text}"')
    wanted = set(value.split(","))
    return {"in": wanted.__contains__, "startswith": lambda name: name.startswith(value)}.get(operator, lambda name: True)


def index(req):
    queries.check(req, {"name": 6, "associated": 6})
    chosen, associated = _chosen(req.GET.get("name")), req.GET.get("associated")
    if associated is not None and associated.lower() not in ("true", "false"):
        raise errors.BadRequest('The query parameter "associated" only accepts "true" or "false"')
    found = names.traits(req.call, None if associated is None else associated.lower() == "true")
    return answer(req, {"traits": [name for name in found if chosen(name)]})


def show(req, name):
    names.check_trait(req.call, name)
    return answer(req, None)
