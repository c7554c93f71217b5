"""Security groups, through the network service: for the security group proxies, until microversion 2.35, and the actions that
add and remove groups of servers. Source: the compute API reference, "Security groups (os-security-groups) (DEPRECATED)".
"""

import collections.abc
import logging

import sqlalchemy as sa

from common import errors, rows
from common.calls import Call
from common.rest import path
from compute_api import access, networks
from compute_api.services import servers
from conductor.db import actions, models

LOG = logging.getLogger(__name__)


def _many(call: Call, **query) -> list[dict]:
    return networks.request(call, "GET", path("/v2.0/security-groups", query=query))["security_groups"]


def by_ids(call: Call, ids: collections.abc.Set[str]) -> list[dict]:
    return _many(call, id=sorted(ids)) if ids else []


def index(call: Call, *, everyone: bool) -> list[dict]:
    """:param everyone: the groups of all projects, if the caller may see them"""
    access.check(call, "os_compute_api:os-security-groups:get")
    return _many(call) if everyone and access.knows_all(call) else _many(call, project_id=call.ctx.project_id)


def show(call: Call, id: str) -> dict:
    access.check(call, "os_compute_api:os-security-groups:show")
    return networks.request(call, "GET", path("/v2.0/security-groups/{id}", id))["security_group"]


def create(call: Call, body: dict) -> dict:
    access.check(call, "os_compute_api:os-security-groups:create")
    return networks.request(call, "POST", path("/v2.0/security-groups"), body)["security_group"]


def update(call: Call, id: str, body: dict) -> dict:
    access.check(call, "os_compute_api:os-security-groups:update")
    return networks.request(call, "PUT", path("/v2.0/security-groups/{id}", id), body)["security_group"]


def delete(call: Call, id: str) -> None:
    access.check(call, "os_compute_api:os-security-groups:delete")
    try:
        networks.request(call, "DELETE", path("/v2.0/security-groups/{id}", id))
    except errors.Conflict as error:
        raise errors.BadRequest(str(error)) from None


def create_rule(call: Call, given: dict) -> dict:
    """Create an ingress rule; returns it as the network API shows it.

    :param given: as in the compute API
    """
    access.check(call, "os_compute_api:os-security-groups:rule:create")
    low, high = [None if given.get(n) in (None, -1, "-1") else int(given[n]) for n in ("from_port", "to_port")]
    if given.get("group_id") and given.get("cidr"):
        raise errors.BadRequest("A rule has either cidr or group_id, not both.")
    if not given.get("ip_protocol") and not given.get("group_id"):
        raise errors.BadRequest("ip_protocol, from_port and to_port are required without group_id.")
    cidr = None if given.get("group_id") else given.get("cidr") or "0.0.0.0/0"
    try:
        return networks.request(call, "POST", path("/v2.0/security-group-rules"), {"security_group_rule": {
            "security_group_id": given["parent_group_id"], "direction": "ingress", "protocol": given.get("ip_protocol"),
            "port_range_min": low, "port_range_max": high, "remote_ip_prefix": cidr, "remote_group_id": given.get("group_id"),
            "ethertype": "IPv6" if cidr and ":" in cidr else "IPv4"}})["security_group_rule"]
    except errors.Conflict as error:  # the network service's status, both for a full quota and for a rule that exists
        raise (errors.Forbidden if "quota" in str(error).lower() else errors.BadRequest)(str(error)) from None


def delete_rule(call: Call, id: str) -> None:
    access.check(call, "os_compute_api:os-security-groups:rule:delete")
    networks.request(call, "DELETE", path("/v2.0/security-group-rules/{id}", id))


def of_server(call: Call, id: str) -> list[dict]:
    """The security groups of a server's ports."""
    row = servers.get(call, id, "os_compute_api:os-security-groups:list")
    return by_ids(call, {g for p in networks.ports_of(call, row) for g in p["security_groups"]})


def refresh(call: Call, id: str) -> None:
    """Show the groups that a server's ports have now. They are only shown: an error is logged."""
    try:
        for _ in range(3):
            with call.svc.db.reader() as connection:
                row = rows.get(connection, models.instances, id, key="uuid", resource="Instance")
            if call.svc.db.transact(_show_instead, id, row["security_groups"], _now(call, row)):
                return
    except (errors.Error, sa.exc.SQLAlchemyError) as error:
        LOG.warning("the security groups of instance %s are not known: %s", id, error)


def _now(call: Call, row: dict) -> list[dict]:
    """The groups of a server's ports. An administrator may have given it groups, and ports, that the caller does not see."""
    ports = networks.ports_of(call, row)
    ids = {g for p in ports for g in p["security_groups"]}
    if len(ports) < len(row["network_info"]):
        ids |= {g["id"] for g in row["security_groups"]}
    known = {g["id"]: g for g in [*row["security_groups"], *by_ids(call, ids)]}
    return [g for i, g in known.items() if i in ids]


def _show_instead(connection, id: str, before: list[dict], groups: list[dict]) -> bool:
    """False: somebody has changed them meanwhile, and may know more."""
    row = rows.find(connection, models.instances, id, key="uuid")
    if row is None or row["security_groups"] != before:
        return row is None
    rows.update_where(connection, models.instances, {"security_groups": _shown(groups)}, uuid=id)
    return True


def _shown(groups: list[dict]) -> list[dict]:
    return [{"id": g["id"], "name": g["name"]} for g in groups]


def change(call: Call, id: str, name: str, *, adding: bool) -> None:
    """Add the group to all ports of the server, or remove it."""
    rule = "os_compute_api:os-security-groups:add" if adding else "os_compute_api:os-security-groups:remove"
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, rule)
        access.check_lock(call, row)
        actions.start(connection, call.ctx, id, "addSecurityGroup" if adding else "removeSecurityGroup")
    known = _many(call, project_id=row["project_id"])
    has = set()
    named = networks.group_named(known, name)
    if named is None:
        raise errors.NotFound(f"Security group {name} not found for project {row['project_id']}.")
    group = named["id"]
    ports = networks.ports_of(call, row)
    if not ports:
        raise errors.NotFound(f"instance_id {id} could not be found as device id on any ports: the server has no interface.")
    if not adding and not any(group in p["security_groups"] for p in ports):
        raise errors.NotFound(f"Security group {name} not associated with the instance {id}")
    for port in ports:
        left = [g for g in port["security_groups"] if g != group] + ([group] if adding else [])
        networks.request(call, "PUT", path("/v2.0/ports/{id}", port["id"]), {"port": {"security_groups": left}})
        has |= set(left)
    shown = _shown([g for g in known if g["id"] in has])
    with call.svc.db.writer() as connection:
        rows.update_where(connection, models.instances, {"security_groups": shown}, uuid=id)
