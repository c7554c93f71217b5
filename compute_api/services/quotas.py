"""Quotas and limits of projects."""

from common import errors, rows
from common import quotas as project_quotas
from common.calls import Call
from conductor.db import instances, models, quotas

# Limits of network resources are stored and shown until 2.35, without effect: the network service has its own, as in OpenStack.
NETWORK = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules")
LEGACY = (*NETWORK, *quotas.INJECTION)


def legacy(call: Call) -> list[str]:
    """The resources of ``LEGACY`` that this microversion has."""
    if call.version >= (2, 57):
        return []
    return [r for r in LEGACY if r in quotas.INJECTION or call.version < (2, 36)]


def _defaults(call: Call) -> dict[str, int]:
    return {**call.svc.quota_defaults, **legacy_defaults(legacy(call))}


def legacy_defaults(names: list[str]) -> dict[str, int]:
    return {name: quotas.INJECTION.get(name, -1) for name in names}


def _used(connection, project_id: str) -> dict:
    groups = rows.count(connection, models.server_groups, models.server_groups.c.project_id == project_id)
    return {**instances.usage(connection, project_id), "server_groups": groups}


def show(call: Call, target: str) -> dict[str, int]:
    with call.svc.db.reader() as connection:
        return quotas.limits(connection, target, _defaults(call))


def defaults(call: Call) -> dict[str, int]:
    """The limits of projects without quotas of their own."""
    with call.svc.db.reader() as connection:
        return quotas.of_class(connection, quotas.DEFAULT_CLASS, _defaults(call))


def update(call: Call, target: str, given: dict[str, int], *, force: bool) -> dict[str, int]:
    """Set limits of a project; returns all its limits.

    :raises BadRequest: more is in use, and the request is not forced
    """
    with call.svc.db.writer() as connection:
        used = _used(connection, target)
        for resource, limit in given.items():
            if 0 <= limit < used.get(resource, 0) and not force:
                raise errors.BadRequest(f"Quota limit {limit} for {resource} must be greater than or equal to already "
                                        f"used and reserved {used[resource]}.")
        project_quotas.store(connection, models.quotas, target, given)
        return quotas.limits(connection, target, _defaults(call))


def delete(call: Call, target: str) -> None:
    with call.svc.db.writer() as connection:
        project_quotas.reset(connection, models.quotas, target)


def limits(call: Call, project: str) -> tuple[dict[str, int], dict[str, int]]:
    """(the limits of a project, its usage)"""
    with call.svc.db.reader() as connection:
        limit = quotas.limits(connection, project, _defaults(call))
        used = _used(connection, project)
    return limit, used
