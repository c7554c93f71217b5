"""Allocations of hosts to servers, and what projects use."""

from common.calls import Call
from compute_api.placement.provider import Provider
from compute_api.placement.services import providers as provider_service
from conductor.db import providers


def of_consumer(call: Call, uuid: str) -> list[dict]:
    """As ``conductor.db.providers.of_server``; [] also if there is no such server."""
    call.svc.placement_policy.check(call.ctx, "placement:allocations:list", {})
    with call.svc.db.reader() as connection:
        return providers.of_server(connection, uuid)


def of_provider(call: Call, uuid: str) -> tuple[Provider, list[dict]]:
    """A provider, and its allocations as ``conductor.db.providers.of_host``. :raises NotFound: there is no such provider"""
    found = provider_service.get(call, "placement:resource_providers:allocations:list", uuid)
    with call.svc.db.reader() as connection:
        return found, providers.of_host(connection, found.node["host"])


def check_usages(call: Call, project_id: str | None) -> None:
    call.svc.placement_policy.check(call.ctx, "placement:usages", {"project_id": project_id})


def usages(call: Call, project_id: str, user_id: str | None) -> dict:
    """As ``conductor.db.providers.sums``. :raises Forbidden: the caller may not see it"""
    check_usages(call, project_id)
    with call.svc.db.reader() as connection:
        return providers.sums(connection, project_id, user_id)
