"""Security groups: the default one of a project, rules, membership."""

import uuid

import sqlalchemy as sa

from common import context, db, errors, rows
from network.db import models

GROUPS, RULES, MEMBERS = models.security_groups, models.security_group_rules, models.port_security_groups


def base(project_id: str, name: str = "", description: str = "") -> dict:
    """The columns that every network resource has."""
    at = db.now()
    return {"id": context.new_uuid(), "name": name, "project_id": project_id, "description": description,
            "created_at": at, "updated_at": at, "revision_number": 0}


def new_rules(group: dict, *, ingress_from_group: bool) -> list[dict]:
    """The rules a new group has: all egress; the default group lets its own members in."""
    found = []
    for ethertype in ("IPv4", "IPv6"):
        plain = {"security_group_id": group["id"], "ethertype": ethertype, "protocol": None, "port_range_min": None,
                 "port_range_max": None, "remote_ip_prefix": None}
        found.append({**base(group["project_id"]), **plain, "direction": "egress", "remote_group_id": None})
        if ingress_from_group:
            found.append({**base(group["project_id"]), **plain, "direction": "ingress",
                          "remote_group_id": group["id"]})
    return found


def ensure_default(connection, project_id: str) -> str:
    """The id of a project's default group, created when first needed. Its id is derived from the project's, so that
    of two transactions that create it concurrently, one violates the primary key and is repeated."""
    group_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"pileus default security group {project_id}"))
    if connection.execute(sa.select(GROUPS.c.id).where(GROUPS.c.id == group_id)).first():
        return group_id
    group = {**base(project_id, "default", "Default security group"), "id": group_id, "stateful": True,
             "is_default": True}
    rows.insert(connection, GROUPS, group)
    connection.execute(sa.insert(RULES), new_rules(group, ingress_from_group=True))
    return group_id


def check_usable(connection, group_ids: list[str], project_id: str, *, of_any: bool = False) -> None:
    """:raises NotFound: a group does not exist, or is another project's and only ``of_any`` allows that"""
    query = sa.select(GROUPS.c.id, GROUPS.c.project_id).where(GROUPS.c.id.in_(group_ids))
    known = dict(connection.execute(query).all())
    for group_id in group_ids:
        if known.get(group_id) != project_id and not (group_id in known and of_any):
            raise errors.NotFound(f"Security group {group_id} does not exist", kind="SecurityGroupNotFound")


def set_members(connection, port_id: str, group_ids: list[str]) -> None:
    connection.execute(sa.delete(MEMBERS).where(MEMBERS.c.port_id == port_id))
    add_members(connection, port_id, group_ids)


def add_members(connection, port_id: str, group_ids: list[str]) -> None:
    if group_ids:
        connection.execute(sa.insert(MEMBERS), [{"port_id": port_id, "security_group_id": g} for g in group_ids])


def named(connection, port_ids: list[str]) -> dict[str, list[dict]]:
    """{port id: [{"id", "name"}] of its groups}; a port without groups is missing."""
    found: dict[str, list[dict]] = {}
    if port_ids:
        query = sa.select(MEMBERS.c.port_id, GROUPS.c.id, GROUPS.c.name).join(GROUPS, GROUPS.c.id == MEMBERS.c.security_group_id)
        for port_id, id, name in connection.execute(query.where(MEMBERS.c.port_id.in_(port_ids)).order_by(GROUPS.c.id)):
            found.setdefault(port_id, []).append({"id": id, "name": name})
    return found


def ports_of(connection, group_id: str) -> list[str]:
    """The ids of a group's ports."""
    return list(connection.execute(sa.select(MEMBERS.c.port_id).where(MEMBERS.c.security_group_id == group_id)).scalars())


def rules_of(connection, group_ids: list[str]) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {g: [] for g in group_ids}
    if group_ids:
        for row in db.many(connection, sa.select(RULES).where(RULES.c.security_group_id.in_(group_ids)).order_by(
                RULES.c.created_at, RULES.c.id)):
            found[row["security_group_id"]].append(row)
    return found


def referring(connection, group_id: str) -> list[str]:
    """The ids of the groups with a rule that refers to a group."""
    return list(connection.execute(sa.select(RULES.c.security_group_id).distinct().where(
        RULES.c.remote_group_id == group_id)).scalars())


def member_addresses(connection, group_ids: list[str]) -> dict[str, list[str]]:
    """{group id: [address of a member port]} in one statement."""
    found: dict[str, list[str]] = {g: [] for g in group_ids}
    if group_ids:
        ips = models.ip_allocations
        query = (sa.select(MEMBERS.c.security_group_id, ips.c.ip_address)
                 .join(ips, ips.c.port_id == MEMBERS.c.port_id).where(MEMBERS.c.security_group_id.in_(group_ids)))
        for group_id, address in connection.execute(query):
            found[group_id].append(address)
    return found
