"""Access rules: the requests that application credentials may be limited to. They belong to a user, and can be reused."""

from identity.services import access_rules


def _view(req, row: dict) -> dict:
    return {**access_rules.plain(row), "links": {"self": f"{req.base_url()}/v3/users/{row['user_id']}/access_rules/{row['id']}"}}


def index(req, id):
    wanted = {k: v for k, v in req.GET.items() if k in access_rules.NAMES}
    found = access_rules.index(req.call, id, wanted)
    return {"access_rules": [_view(req, r) for r in found], "links": {"self": req.path_url, "next": None, "previous": None}}


def show(req, id, rule_id):
    row = access_rules.show(req.call, id, rule_id)
    return {"access_rule": _view(req, row)}


def delete(req, id, rule_id):
    access_rules.delete(req.call, id, rule_id)
