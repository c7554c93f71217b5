"""Limits and quotas of projects."""

from common import errors, quotas
from common.calls import Call
from volume.db import models, volumes


def of_project(call: Call, project: str) -> tuple[dict, dict]:
    """(the limits of a project, its usage)"""
    with call.svc.db.reader() as connection:
        limit = volumes.limits(connection, call.svc.conf, project)
        used = volumes.usage(connection, project)
    return limit, used


def show(call: Call, target: str) -> tuple[dict, dict]:
    """As ``of_project``, for any project that the caller may see."""
    call.svc.policy.check(call.ctx, "volume_extension:quotas:show", {"project_id": target})
    with call.svc.db.reader() as connection:
        limit, used = volumes.limits(connection, call.svc.conf, target), volumes.usage(connection, target)
    return limit, used


def update(call: Call, target: str, given: dict) -> dict:
    """Set limits of a project; returns all its limits."""
    call.svc.policy.check(call.ctx, "volume_extension:quotas:update", {"project_id": target})
    with call.svc.db.writer() as connection:
        quotas.lock_owner(connection, target)
        used = volumes.usage(connection, target)
        for resource, most in given.items():
            if 0 <= most < used.get(resource, 0):
                raise errors.BadRequest(f"Quota {resource} limit must be equal or greater than existing resources. Current usage "
                                        f"is {used[resource]} and the requested limit is {most}.")
        quotas.store(connection, models.quotas, target, given)
        return volumes.limits(connection, call.svc.conf, target)


def delete(call: Call, target: str) -> None:
    call.svc.policy.check(call.ctx, "volume_extension:quotas:delete", {"project_id": target})
    call.svc.db.transact(quotas.reset, models.quotas, target)
