"""Heartbeats of compute hosts: written for many hosts at once, with a constant number of statements."""

import dataclasses
import hashlib
import json

import sqlalchemy as sa

from common import context, db, rows
from common.server_states import SEEN
from conductor.db import hosts, machine, models

NODES, SERVICES, INSTANCES = models.compute_nodes, models.services, models.instances
BINARY = "nova-compute"
AUTO = "AUTO: "  # begins the reason for which a service is disabled without an operator
_NEW = {"disabled": False, "disabled_reason": None}


@dataclasses.dataclass
class Report:
    """One heartbeat of a host, or several that arrived shortly after each other.

    ``first`` and ``last`` are the sequence numbers given by the agent, starting at 1; None: an agent of the previous release,
    which does not number them.
    """

    resources: dict
    first: int | None = None
    last: int | None = None
    rpc_version: str | None = None  # version of the RPC interface that the agent implements
    broken: bool = False  # a heartbeat between these is missing

    def followed_by(self, later: "Report") -> "Report":
        missing = None not in (self.last, later.first) and later.first not in (1, (self.last or 0) + 1)
        return Report(later.resources, self.first, later.last,
                      later.rpc_version, self.broken or later.broken or missing)

    def follows(self, last: int | None) -> bool:
        """Whether no heartbeat was lost after number ``last``. The first heartbeat of a new agent names all guests."""
        return not self.broken and (self.first in (None, 1) or last is not None and self.first == last + 1)


def write(connection, reports: dict[str, Report], zone: str) -> list[str]:
    """Record the heartbeats of many hosts.

    Two statements for all hosts, and one or two for each host whose resources changed.

    :param zone: the availability zone of new hosts
    :returns: the hosts that lost a heartbeat, and perhaps a change of power state with it
    """
    known = {row["host"]: row for row in rows.many(connection, sa.select(
        SERVICES.c.host, SERVICES.c.report_sequence, SERVICES.c.rpc_version, SERVICES.c.disabled, SERVICES.c.disabled_reason,
        NODES.c.report_digest).select_from(
        SERVICES.outerjoin(NODES, NODES.c.host == SERVICES.c.host)).where(
        SERVICES.c.binary == BINARY, SERVICES.c.host.in_(sorted(reports))))}
    if known:
        last = {host: reports[host].last for host in known}
        connection.execute(sa.update(SERVICES).where(SERVICES.c.binary == BINARY, SERVICES.c.host.in_(sorted(known))).values(
            updated_at=db.now(), report_sequence=sa.cast(sa.case(last, value=SERVICES.c.host), sa.BigInteger)))
    for host in sorted(set(reports) - set(known)):
        connection.execute(sa.insert(SERVICES).values(
            id=context.new_uuid(), binary=BINARY, host=host, disabled=False, forced_down=False, zone=zone, updated_at=db.now(),
            report_sequence=reports[host].last, rpc_version=reports[host].rpc_version))
    for host, report in sorted(reports.items()):
        if host in known and known[host]["rpc_version"] != report.rpc_version:
            connection.execute(sa.update(SERVICES).where(SERVICES.c.binary == BINARY, SERVICES.c.host == host).values(
                rpc_version=report.rpc_version))
        _disable(connection, host, report.resources["facts"], known.get(host, _NEW))
        digest = _digest(report.resources)
        if host not in known or known[host]["report_digest"] != digest:
            hosts.report(connection, host, report.resources)
            connection.execute(sa.update(NODES).where(NODES.c.host == host).values(report_digest=digest))
    return sorted(h for h, report in reports.items() if h in known and not report.follows(known[h]["report_sequence"]))


def _disable(connection, host: str, facts: dict, service: dict) -> None:
    """Disable the compute service of a host whose hypervisor can run no new guests, and enable it when that has ended, as Nova
    does. What an operator has disabled stays so."""
    unusable, disabled = bool(facts.get("unusable")), service["disabled"]
    if unusable == disabled or disabled and not (service["disabled_reason"] or "").startswith(AUTO):
        return
    reason = f"{AUTO}{facts.get('problem') or 'The hypervisor cannot be used.'}"[:255] if unusable else None
    connection.execute(sa.update(SERVICES).where(
        SERVICES.c.binary == BINARY, SERVICES.c.host == host, SERVICES.c.disabled == disabled,
        SERVICES.c.disabled_reason == service["disabled_reason"]).values(
        disabled=unusable, disabled_reason=reason))


def _digest(resources: dict) -> str:
    return hashlib.sha256(json.dumps(resources, sort_keys=True).encode()).hexdigest()[:40]


def sync_power_states(connection, host: str, powers: dict[str, int]) -> None:
    """Write the power states that differ from the stored ones. One statement if none does."""
    c = INSTANCES.c
    for row in rows.many(connection, sa.select(c.uuid, c.power_state, c.vm_state, c.task_state).where(
            c.uuid.in_(sorted(powers)), c.host == host)):
        power = powers[row["uuid"]]
        if power != row["power_state"] or row["task_state"] is None and row["vm_state"] in SEEN.get(power, ((), ""))[0]:
            machine.sync_power_state(connection, host, row["uuid"], power)
