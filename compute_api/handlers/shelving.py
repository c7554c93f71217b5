"""Actions that shelve, offload and unshelve servers."""

from common import schema
from compute_api.schemas import shelving as schemas
from compute_api.services import shelving

_CHECK_ZONE, _CHECK_PLACE = schema.compiled(schemas.ZONE), schema.compiled(schemas.PLACE)


def shelve(req, id, arguments):
    shelving.shelve(req.call, id)


def offload(req, id, arguments):
    shelving.offload(req.call, id)


def unshelve(req, id, arguments):
    """Before 2.77 the scheduler chooses, whatever the body says."""
    if req.version < (2, 77):
        arguments = None
    (_CHECK_PLACE if req.version >= (2, 91) else _CHECK_ZONE)(arguments)
    shelving.unshelve(req.call, id, arguments or {})
