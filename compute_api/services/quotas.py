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


def _used(connection, project_id: str, user_id: str | None = None) -> dict:
    groups = rows.count(connection, models.server_groups, *quotas.owned(models.server_groups, project_id, user_id))
    return {**instances.usage(connection, project_id, user_id), "server_groups": groups}


def show(call: Call, target: str, user_id: str | None = None) -> dict[str, int]:
    """The limits of a project, or those that hold for a user of it."""
    with call.svc.db.reader() as connection:
        return quotas.limits(connection, target, _defaults(call), user_id=user_id)


def defaults(call: Call) -> dict[str, int]:
    """The limits of projects without quotas of their own."""
    with call.svc.db.reader() as connection:
        return quotas.of_class(connection, quotas.DEFAULT_CLASS, _defaults(call))


def update(call: Call, target: str, given: dict[str, int], user_id: str | None = None, *, force: bool) -> dict[str, int]:
    """Set limits of a project, or of a user of it; returns all limits.

    :raises BadRequest: more is in use, or a project's users are promised more, or a user's limit is above the project's; and the
        request is not forced
    """
    with call.svc.db.writer() as connection:
        if not force:
            _check(given, *_bounds(connection, call, target, user_id))
        if user_id is None:
            project_quotas.store(connection, models.quotas, target, given)
        else:
            quotas.store_user(connection, target, user_id, given)
        return quotas.limits(connection, target, _defaults(call), user_id=user_id)


def _bounds(connection, call: Call, target: str, user_id: str | None) -> tuple[dict, dict]:
    """({resource: least limit}, {resource: largest limit, -1 for unlimited})"""
    used = _used(connection, target, user_id)
    if user_id is not None:
        return used, quotas.limits(connection, target, _defaults(call))
    promised = quotas.promised(connection, target)
    return {r: max(used.get(r, 0), promised.get(r, 0)) for r in used.keys() | promised.keys()}, {}


def _check(given: dict[str, int], least: dict, most: dict) -> None:
    for resource, limit in given.items():
        if 0 <= limit < least.get(resource, 0):
            raise errors.BadRequest(f"Quota limit {limit} for {resource} must be greater than or equal to already used and "
                                    f"reserved {least[resource]}.")
        if 0 <= most.get(resource, -1) and not 0 <= limit <= most[resource]:
            raise errors.BadRequest(f"Quota limit {limit} for {resource} must be less than or equal to {most[resource]}.")


def delete(call: Call, target: str, user_id: str | None = None) -> None:
    """Give a project the defaults again, and its users; or a user what the project has."""
    with call.svc.db.writer() as connection:
        if user_id is None:
            project_quotas.reset(connection, models.quotas, target)
        quotas.reset_users(connection, target, user_id)


def limits(call: Call, project: str, user_id: str | None = None) -> tuple[dict[str, int], dict[str, int]]:
    """(the limits of a project, its usage), or those of a user of it"""
    with call.svc.db.reader() as connection:
        limit = quotas.limits(connection, project, _defaults(call), user_id=user_id)
        used = _used(connection, project, user_id)
    return limit, used
