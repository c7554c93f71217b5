"""Lists of servers: filters, sorting, paging."""

import itertools
import typing
from collections.abc import Iterable

import sqlalchemy as sa
from oslo_utils import strutils

from common import errors, regex, rows, server_states, tags, wsgi
from common.calls import Call
from compute_api import access, changes, microversions
from compute_api.viewer import Viewer
from conductor.db import instances, machine, models
from conductor.db.scope import Scope

Query = typing.Mapping[str, list[str]]  # {name: values}
TABLE, DELETED = models.instances, models.deleted_instances
_SORTABLE = {"created_at", "updated_at", "display_name", "uuid", "vm_state", "task_state", "host", "launched_at",
             "user_id", "project_id", "locked", "key_name", "power_state", "availability_zone", "image_ref", "root_device_name"}
_RENAMED = {"name": "display_name", "image": "image_ref", "id": "uuid"}
_FILTERS = ("access_ip_v4", "access_ip_v6", "all_tenants", "auto_disk_config", "availability_zone", "block_device_mapping",
            "changes-before", "changes-since", "config_drive", "created_at", "deleted", "description", "display_description",
            "display_name", "flavor", "host", "hostname", "image", "image_ref", "ip", "ip6", "kernel_id", "key_name",
            "launch_index", "launched_at", "limit", "locked", "marker", "name", "node", "not-tags", "not-tags-any",
            "power_state", "progress", "project_id", "ramdisk_id", "reservation_id", "root_device_name", "services",
            "soft_deleted", "sort_dir", "sort_key", "status", "system_metadata", "tags", "tags-any", "task_state",
            "tenant_id", "terminated_at", "user_id", "uuid", "vm_state")
# The filters that everybody may use, and since which microversion. Callers who may not use all have the others
# ignored.
_SINCE = {**dict.fromkeys(("reservation_id", "name", "display_name", "status", "image", "flavor", "ip", "changes-since",
                           "all_tenants"), (2, 1)), "ip6": (2, 5), **dict.fromkeys(tags.FILTERS, (2, 26)),
          "changes-before": (2, 66), "locked": (2, 73),
          **dict.fromkeys(("availability_zone", "config_drive", "key_name", "created_at", "launched_at", "terminated_at",
                           "power_state", "task_state", "vm_state", "progress", "user_id"), (2, 83))}
_COLUMNS = {"image": "image_ref", "user_id": "user_id", "project_id": "project_id", "tenant_id": "project_id", "uuid": "uuid",
            "key_name": "key_name", "vm_state": "vm_state", "task_state": "task_state", "availability_zone": "availability_zone",
            "reservation_id": "reservation_id", "power_state": "power_state", "description": "description",
            "launch_index": "launch_index", "host": "host", "node": "host", "hostname": "hostname"}
# Long columns: those that no list shows, and those that are shown from a microversion on.
_UNSHOWN = {"key_data", "posted_password", "requested_networks", "tried_hosts", "rescue_image"}
_SHOWN_SINCE = {"image_meta": (2, 3), "user_data": (2, 3), "scheduler_hints": (2, 100)}


def _status_filter(call: Call, table, values: list[str]):
    """Unknown statuses are ignored, unless there are no others."""
    found = [c for c in (machine.conditions_of(value.upper(), table) for value in values) if c is not None]
    if not found and call.version >= (2, 38):
        raise errors.BadRequest(f"Invalid status value: {values[-1]}")
    return sa.or_(sa.false(), *found)


def _is_expression(raw: str) -> bool:
    """Whether a filter contains metacharacters of regular expressions other than dots."""
    return not set(raw).isdisjoint("\\^$[](){}|*+?")


def _named(connection, column, raw: str, scope: list):
    """A name filter is a regular expression; without metacharacters it matches any part of the name."""
    if not _is_expression(raw) and "." not in raw:
        return column.contains(raw, autoescape=True)
    return regex.condition(connection, column, raw, scope, "name")


def _address_filters(query: Query, names: list[str]) -> dict[int, str]:
    """{version: regular expression for an address of it}. :raises BadRequest: an invalid regular expression"""
    found = {version: query[name][-1] for name, version in (("ip", 4), ("ip6", 6)) if name in names}
    for version, raw in found.items():
        if _is_expression(raw):
            regex.check(raw, "ip" if version == 4 else "ip6")
    return found


def _has_address(row: dict, wanted: dict[int, str]) -> bool:
    """A filter without metacharacters other than dots matches any part of the address, as in the network service."""
    for address in (ip["ip_address"] for port in row["network_info"] for ip in port["fixed_ips"]):
        raw = wanted.get(6 if ":" in address else 4)
        if raw is not None and (regex.found(raw, address) if _is_expression(raw) else raw in address):
            return True
    return False


def _page_by_address(connection, wanted: dict[int, str], where: dict, columns: Iterable[str], *, limit: int,
                     **order) -> list[dict]:
    """The first servers that have such an address. Addresses have no column of their own, so rows are read until a
    page is full.

    :param where, columns, order: as of ``instances.page``
    """
    slim = instances.page(where, ("uuid", "network_info"), limit=0, **order).execution_options(yield_per=1000)
    with connection.execute(slim) as found:
        chosen = list(itertools.islice((r["uuid"] for r in found.mappings() if _has_address(r, wanted)), limit))
    whole = instances.page({TABLE: [TABLE.c.uuid.in_(chosen)]}, columns, limit=0, **{**order, "marker_row": None})
    return rows.many(connection, whole) if chosen else []


def _filters(call: Call, query: Query) -> list[str]:
    """The filters of a list that this caller may use."""
    microversions.check_query(call, query, _FILTERS)
    if call.svc.policy.allows(call.ctx, "os_compute_api:servers:allow_all_filters", access.own(call)):
        return sorted(query)
    return sorted(name for name in query if name in _SINCE and call.version >= _SINCE[name])


def _tables(call: Call, query: Query, names: list[str]) -> list[sa.Table]:
    """Existing servers, deleted ones, or both: a list of changes since a time includes servers that have been
    deleted.

    :param names: the filters that the caller may use
    :raises Forbidden: only administrators can list deleted servers
    """
    if {value.upper() for value in query.get("status", [])} & set(server_states.STATUSES) == {"DELETED"}:
        if not access.knows_all(call):
            raise errors.Forbidden("Only administrators may list deleted instances")
        return [DELETED]
    if "deleted" in names:
        return [DELETED] if strutils.bool_from_string(query["deleted"][-1]) else [TABLE]
    return [TABLE, DELETED] if changes.given(call.version, query) else [TABLE]


def _includes_soft_deleted(call: Call, query: Query, names: list[str]) -> bool:
    """Whether a list includes servers that can be restored: those who ask for their state, or for changes."""
    asked = {value.upper() for value in query.get("status", [])} | {
        "SOFT_DELETED" for value in query.get("vm_state", []) if value == server_states.SOFT_DELETED}
    wanted = "soft_deleted" in names and strutils.bool_from_string(query["soft_deleted"][-1])
    return wanted or "SOFT_DELETED" in asked or bool(changes.given(call.version, query))


def _conditions(call: Call, connection, query: Query, table, names: list[str], *, everyone: bool) -> list:
    changed_at = table.c.deleted_at if table is DELETED else table.c.updated_at
    found = [Scope(call.ctx.project_id, everyone).of(table.c.project_id),
             *changes.conditions(changes.given(call.version, query), changed_at)]
    if table is TABLE and not _includes_soft_deleted(call, query, names):
        found.append(table.c.vm_state != server_states.SOFT_DELETED)
    for name in names:
        values = query[name]
        if name == "status":
            found.append(_status_filter(call, table, values))
        elif name in ("name", "display_name"):
            found.append(_named(connection, table.c.display_name, values[-1], found[:1]))
        elif name == "flavor":
            found.append(table.c.flavor["id"].as_string() == values[-1])
        elif name == "locked" and call.version >= (2, 73):
            found.append(table.c.locked == wsgi.bool_value(values[-1]))
        elif name in tags.FILTERS and call.version >= (2, 26):
            found.append(tags.condition(table.c.tags, name, values[-1:]))
        elif name in _COLUMNS and (name not in ("project_id", "tenant_id") or everyone):
            found.append(table.c[_COLUMNS[name]] == values[-1])
    return found


def _sort(call: Call, query: Query) -> list[tuple[str, str]]:
    names = [_RENAMED.get(n, n) for n in query.get("sort_key", [])]
    directions = query.get("sort_dir", [])
    if any(n not in _SORTABLE for n in names) or any(d not in ("asc", "desc") for d in directions):
        raise errors.BadRequest("Invalid sort key or direction.")
    if "host" in names and not access.knows_all(call):
        raise errors.Forbidden("Only administrators can sort servers by host")
    return list(zip(names, directions + ["desc"] * len(names))) or [("created_at", "desc")]


# By the rule of the list.
_ALL_TENANTS = {"os_compute_api:servers:index": "os_compute_api:servers:index:get_all_tenants",
                "os_compute_api:servers:detail": "os_compute_api:servers:detail:get_all_tenants"}


def _page(call: Call, connection, query: Query, limit: int, rule: str, columns: Iterable[str]) -> list[dict]:
    """The servers of a page.

    :param query: filters, ``sort_key``, ``sort_dir``, ``marker`` and ``all_tenants`` of the request
    :raises BadRequest, Forbidden: a parameter is invalid, or not allowed for this caller
    """
    access.check(call, rule)
    names = _filters(call, query)
    everyone = wsgi.bool_value(query["all_tenants"][-1]) if "all_tenants" in query else False
    if everyone:
        access.check(call, _ALL_TENANTS[rule])
    marker = query.get("marker", [""])[-1]
    try:
        marker_row = instances.get_including_deleted(connection, marker, access.scope(call)) if marker else None
    except errors.NotFound:
        raise errors.BadRequest(f"marker [{marker}] not found") from None
    where = {t: _conditions(call, connection, query, t, names, everyone=everyone) for t in _tables(call, query, names)}
    wanted, sort = _address_filters(query, names), _sort(call, query)
    if not limit:
        return []
    if not wanted:
        return rows.many(connection, instances.page(where, columns, sort=sort, limit=limit, marker_row=marker_row))
    if TABLE not in where:  # deleted servers have no addresses
        return []
    return _page_by_address(connection, wanted, {TABLE: where[TABLE]}, columns, sort=sort, limit=limit, marker_row=marker_row)


def brief(call: Call, query: Query, limit: int) -> list[dict]:
    """{"uuid", "display_name"} of the servers of a page; the parameters are those of ``_page``."""
    with call.svc.db.reader() as connection:
        return _page(call, connection, query, limit, "os_compute_api:servers:index", ("uuid", "display_name"))


def detailed(call: Call, query: Query, limit: int) -> tuple[list[dict], Viewer]:
    """The servers of a page, and the details that the caller may see; the parameters are those of ``_page``."""
    columns = [name for name in (*TABLE.c.keys(), "deleted_at") if name not in _UNSHOWN
               and (name not in _SHOWN_SINCE or call.version >= _SHOWN_SINCE[name])]
    with call.svc.db.reader() as connection:
        found = _page(call, connection, query, limit, "os_compute_api:servers:detail", columns)
        found = instances.add_block_devices(connection, found)
        return found, Viewer(call, connection, found)
