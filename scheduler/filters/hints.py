"""Filters by scheduler hints."""

import functools
import ipaddress
import json
import operator
import typing

from common import document, errors
from scheduler.filters.base import Filter, facts


class SameHostFilter(Filter):
    """The hint ``same_host``; the scheduler has resolved its servers to hosts."""

    why = "not the host of the servers in the hint same_host"

    def passes(self, host, spec):
        return spec.get("near_hosts") is None or host["host"] in spec["near_hosts"]


class DifferentHostFilter(Filter):
    """The hint ``different_host``; the scheduler has resolved its servers to hosts."""

    why = "hosts of servers in the hint different_host"

    def passes(self, host, spec):
        return host["host"] not in (spec.get("far_hosts") or [])


class SimpleCIDRAffinityFilter(Filter):
    """The hints ``build_near_host_ip`` and ``cidr``: a host whose address is in that network."""

    why = "not in the network of the hint build_near_host_ip"

    def passes(self, host, spec):
        near = spec["hints"].get("build_near_host_ip")
        if not near:
            return True
        try:
            network = ipaddress.ip_network(f"{near}{spec['hints'].get('cidr') or '/24'}", strict=False)
            return ipaddress.ip_address(host["facts"].get("host_ip") or "") in network
        except ValueError:
            return False


def _all_of(compare):
    return lambda first, *rest: bool(rest) and all(compare(first, other) for other in rest)


_COMMANDS = {
    "=": _all_of(operator.eq), "<": _all_of(operator.lt), ">": _all_of(operator.gt), "<=": _all_of(operator.le),
    ">=": _all_of(operator.ge), "in": lambda first, *rest: first in rest, "not": lambda *found: not all(found),
    "and": lambda *found: all(found), "or": lambda *found: any(found)}


@functools.lru_cache(maxsize=64)
def _parsed(text: str):
    return document.parse(text.encode())


def _value(query, known: typing.Any):
    """Evaluate a part of a query. :raises LookupError, TypeError: it is invalid"""
    if isinstance(query, list):
        command, *arguments = query or ["and"]
        values = [value for value in (_value(part, known) for part in arguments) if value is not None]
        return _COMMANDS[command](*values)
    if isinstance(query, str) and query.startswith("$"):
        found = known
        for part in query[1:].split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return found
    return query


class JsonFilter(Filter):
    """The hint ``query``: a comparison in JSON, such as ``[">=", "$free_ram_mb", 1024]``."""

    why = "not matched by the hint query"

    def passes(self, host, spec):
        query = spec["hints"].get("query")
        if not query:
            return True
        try:
            return bool(_value(_parsed(query if isinstance(query, str) else json.dumps(query)), facts(host)))
        except (errors.BadRequest, LookupError, TypeError):
            return False
