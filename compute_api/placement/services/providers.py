"""Resource providers, and which of them can give what is asked for."""

import itertools

from common import errors
from common.calls import Call
from compute_api.placement import names, provider
from compute_api.placement.groups import Candidates, Group
from compute_api.placement.provider import Provider
from conductor.db import aggregates, hosts

_ISOLATED = 2  # groups with a suffix that must be met by different providers: a host is one provider


def _of(call: Call, node: dict, by_host: dict[str, list[dict]]) -> Provider:
    return provider.of_node(node, call.svc.conf.scheduler, by_host.get(node["host"], []))


def _all(call: Call, *, facts: bool) -> list[Provider]:
    with call.svc.db.reader() as connection:
        by_host = aggregates.of_hosts(connection)
        return [_of(call, node, by_host) for node in hosts.all_nodes(connection, facts=facts)]


def find(call: Call, group: Group, *, name: str | None = None, uuid: str | None = None) -> list[Provider]:
    """Those that meet a group. :raises BadRequest: there is no such resource class or trait"""
    call.svc.placement_policy.check(call.ctx, "placement:resource_providers:list", {})
    names.check_resource_classes(group.resources)
    if wrong := names.unknown_traits(group.traits.names()):
        raise errors.BadRequest(f'Invalid trait(s) in "required" parameter: {wrong}')
    return [p for p in _all(call, facts=bool(group.traits.names()))
            if name in (None, p.node["hypervisor_hostname"]) and uuid in (None, p.uuid) and p.meets(group)]


def get(call: Call, rule: str, uuid: str, *, facts: bool = False) -> Provider:
    """One, if the caller may see by ``rule`` what is asked of it. :raises NotFound: there is none"""
    call.svc.placement_policy.check(call.ctx, rule, {})
    with call.svc.db.reader() as connection:
        found = hosts.all_nodes(connection, facts=facts, node_id=uuid)
        by_host = aggregates.of_hosts(connection, [node["host"] for node in found])
    if not found:
        raise errors.NotFound(f"No resource provider with uuid {uuid} found.")
    return _of(call, found[0], by_host)


def candidates(call: Call, wanted: Candidates) -> list[Provider]:
    """Those that meet all groups at once: a host has no other providers beneath or beside it.

    :raises BadRequest: there is no such resource class or trait
    """
    call.svc.placement_policy.check(call.ctx, "placement:allocation_candidates:list", {})
    names.check_resource_classes(wanted.resources())
    if wrong := names.unknown_traits(wanted.root.names().union(*(g.traits.names() for g in wanted.groups.values()))):
        raise errors.BadRequest(wrong)
    if wanted.isolate and sum(1 for suffix in wanted.groups if suffix) >= _ISOLATED:
        return []
    found = (p for p in _all(call, facts=True) if p.has_room(wanted.resources()) and wanted.root.accept(p.traits)
             and all(p.meets(group) for group in wanted.groups.values()))
    return list(itertools.islice(found, wanted.limit))


def associated_traits(call: Call) -> frozenset[str]:
    """The traits of all providers. The rule is checked by the caller."""
    return frozenset().union(*(p.traits for p in _all(call, facts=True)))
