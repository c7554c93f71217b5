"""Quota classes. The class "default" applies to projects without quotas of their own; other classes are stored
without effect."""

from common import errors, wsgi
from compute_api.handlers.quotas import chosen
from compute_api.schemas import quota_classes as schemas
from compute_api.services import quota_classes
from compute_api.services.quotas import LEGACY
from conductor.db.quotas import INJECTION

_SINCE_2_50 = ("server_groups", "server_group_members")


def _legacy(req) -> list[str]:
    """The resources of ``LEGACY`` in this microversion. Classes, unlike projects, have those of networks until 2.49."""
    if req.version >= (2, 57):
        return []
    return [r for r in LEGACY if r in INJECTION or req.version < (2, 50)]


def _view(req, limits: dict) -> dict:
    return {r: most for r, most in limits.items() if r not in _SINCE_2_50 or req.version >= (2, 50)}


def show(req, id):
    limits = quota_classes.show(req.call, id, _legacy(req))
    return {"quota_class_set": {"id": id, **_view(req, limits)}}


@wsgi.body(schemas.UPDATE)
def update(req, id, body):
    req.svc.policy.check(req.ctx, "os_compute_api:os-quota-class-sets:update", {})
    if len(id) > 255:
        raise errors.BadRequest(f"quota_class_name has {len(id)} characters, more than 255.")
    legacy = _legacy(req)
    limits = quota_classes.update(req.call, id, chosen(req, body["quota_class_set"], legacy), legacy)
    return {"quota_class_set": _view(req, limits)}
