"""Security groups as the compute API once had them: a view of the network service's, until microversion 2.35.

The old API knows ingress rules alone; others are left out here and stay as
they are there. Source: the compute API reference, "Security groups
(os-security-groups) (DEPRECATED)".
"""

from common import errors, rows
from common.calls import Call
from common.rest import Path, path
from compute_api import access, networks
from conductor.db import actions, models


def ask(call: Call, method: str, where: Path, body=None):
    return call.svc.rest.request(method, "network", where, body=body, ctx=call.ctx)


def change(call: Call, id: str, name: str, *, adding: bool) -> None:
    """Every port of the server gets or loses the group."""
    rule = "os_compute_api:os-security-groups:add" if adding else "os_compute_api:os-security-groups:remove"
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, rule)
        access.check_lock(call, row)
        actions.start(connection, call.ctx, id, "addSecurityGroup" if adding else "removeSecurityGroup")
    known = ask(call, "GET", path("/v2.0/security-groups", query={"project_id": row["project_id"]}))["security_groups"]
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
        ask(call, "PUT", path("/v2.0/ports/{id}", port["id"]), {"port": {"security_groups": left}})
        has |= set(left)
    shown = [{"id": g["id"], "name": g["name"]} for g in known if g["id"] in has]
    with call.svc.db.writer() as connection:
        rows.update_where(connection, models.instances, {"security_groups": shown}, uuid=id)
