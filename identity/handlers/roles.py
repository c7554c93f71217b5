"""Roles and role implications."""

from common import errors
from identity.handlers.crud import Crud
from identity.services import roles

CRUD = Crud(roles.NOUN)
index, show, create, update, delete = CRUD.index, CRUD.show, CRUD.create, CRUD.update, CRUD.delete


def _brief(req, row):
    return {"id": row["id"], "name": row["name"], "links": {"self": f"{req.base_url()}/v3/roles/{row['id']}"}}


def inferences(req):
    known, edges = roles.inferences(req.call)
    priors = sorted({e["prior_role_id"] for e in edges})
    return {"role_inferences": [{"prior_role": _brief(req, known[p]),
                                 "implies": [_brief(req, e) for e in edges if e["prior_role_id"] == p]}
                                for p in priors], "links": {"self": req.path_url, "next": None, "previous": None}}


def implies(req, id):
    prior, found = roles.implies(req.call, id)
    return {"role_inference": {"prior_role": _brief(req, prior), "implies": [_brief(req, e) for e in found]},
            "links": {"self": req.path_url}}


def implication(req, id, implied_id):
    """Whether a role implies another directly."""
    implied, prior = roles.implication(req.call, id, implied_id)
    if implied is None:
        raise errors.NotFound(f"{id} does not imply {implied_id}.")
    return {"role_inference": {"prior_role": _brief(req, prior), "implies": _brief(req, implied)},
            "links": {"self": req.path_url}}


def implies_it(req, id, implied_id):
    roles.implies_it(req.call, id, implied_id)
    implication(req, id, implied_id)


def imply(req, id, implied_id):
    implied, prior = roles.imply(req.call, id, implied_id)
    return {"role_inference": {"prior_role": _brief(req, prior), "implies": _brief(req, implied)},
            "links": {"self": req.path_url}}


def unimply(req, id, implied_id):
    """Tokens with the implied role are revoked."""
    roles.unimply(req.call, id, implied_id)
