"""Quota classes. The class "default" applies to projects without quotas of their own; other classes are stored
without effect."""

from common.calls import Call
from compute_api.services.quotas import legacy_defaults
from conductor.db import quotas


def show(call: Call, id: str, legacy: list[str]) -> dict[str, int]:
    """:param legacy: the resources of ``quotas.LEGACY`` that this microversion has"""
    call.svc.policy.check(call.ctx, "os_compute_api:os-quota-class-sets:show", {})
    with call.svc.db.reader() as connection:
        return quotas.of_class(connection, id, {**call.svc.quota_defaults, **legacy_defaults(legacy)})


def update(call: Call, id: str, given: dict, legacy: list[str]) -> dict[str, int]:
    with call.svc.db.writer() as connection:
        quotas.store_class(connection, id, given)
        return quotas.of_class(connection, id, {**call.svc.quota_defaults, **legacy_defaults(legacy)})
