"""Place servers: filter, weigh, claim.

Hosts are kept in memory and read again when the picture is old or a claim
shows that it was wrong. The claim compares the host's generation, so however
many schedulers run, none promises what another gave away.
"""

import importlib
import logging
import random
import threading
import time

import sqlalchemy as sa

from common import errors, units
from conductor.db import actions, allocations, hosts, machine, models
from scheduler import filters, weighers

LOG = logging.getLogger(__name__)
TABLE = models.instances


def plugins(names: list[str], module, conf) -> list:
    found = []
    for name in names:
        home, _, cls = name.rpartition(":")
        found.append(getattr(importlib.import_module(home) if home else module, cls)(conf))
    return found


class _HostChanged(Exception):
    """Somebody took or gave back a part of the host since it was read."""


class Placement:
    CLAIM_TRIES = 25
    SILENCE_S = 120

    def __init__(self, conf, database):
        self.conf, self.db = conf, database
        self.filters = plugins(conf.scheduler.filters, filters, conf)
        self.weighers = plugins(conf.scheduler.weighers, weighers, conf)
        self._hosts: dict[str, dict] = {}
        self._read_at = 0.0
        self._lock = threading.Lock()

    def hosts(self, *, fresh: bool = False) -> list[dict]:
        """Copies of the hosts in memory."""
        with self._lock:
            if fresh or time.monotonic() - self._read_at > self.conf.scheduler.host_cache_s:
                with self.db.reader() as connection:
                    found = hosts.all_nodes(connection)
                self._hosts = {h["id"]: h for h in found}
                self._read_at = time.monotonic()
            copies = [dict(h) for h in self._hosts.values()]
        for host in copies:
            host["up"] = hosts.is_up(host, self.conf.service_down_time)
        return copies

    def choose(self, candidates: list[dict], spec: dict) -> dict:
        """The best host.

        :raises NoValidHost: naming how many hosts each filter removed
        :raises ServiceUnavailable: none is heard of, and it is not long since one was: the sweep will ask again
        """
        self._silence(candidates)
        left, removed = candidates, []
        for one in self.filters:
            fitting = [h for h in left if one.passes(h, spec)]
            if len(fitting) < len(left):
                removed.append(f"{len(left) - len(fitting)} {one.why}")
            left = fitting
        if not left:
            reason = ", ".join(removed) or "no compute host is registered"
            raise errors.NoValidHost(reason=f"There are not enough hosts available. Of {len(candidates)} hosts: {reason}.")

        def weight(host):
            return sum(w.multiplier * w.weigh(host, spec) for w in self.weighers) + random.uniform(0, 1e-6)
        return max(left, key=weight)

    def _silence(self, candidates: list[dict]) -> None:
        """That all hosts fell silent together is more likely the bus's fault than theirs; when it returns, whatever was asked
        for meanwhile comes before their next heartbeat."""
        usable = [h for h in candidates if not h["disabled"]]
        if usable and not any(h["up"] for h in usable) and any(
                hosts.is_up(h, self.conf.service_down_time + self.SILENCE_S) for h in usable):
            raise errors.ServiceUnavailable(part="the compute hosts: none has been heard of for a while")

    def _resolve(self, connection, spec: dict) -> dict:
        """Hints and groups that speak of servers, in terms of hosts."""
        hints, known = spec["hints"], {}
        wanted = {name: [v] if isinstance(v, str) else [u for u in v if isinstance(u, str)] for name, v in hints.items()
                  if name in ("same_host", "different_host") and isinstance(v, (str, list))}
        ids = [u for us in wanted.values() for u in us]
        if ids:
            known = dict(connection.execute(sa.select(TABLE.c.uuid, TABLE.c.host).where(
                TABLE.c.uuid.in_(ids), TABLE.c.project_id == spec["project_id"])).all())
        resolved = {**spec, "group": None, "near_hosts": None, "far_hosts": []}
        if "same_host" in wanted:
            resolved["near_hosts"] = [known.get(u) for u in wanted["same_host"]]
        if "different_host" in wanted:
            resolved["far_hosts"] = [known.get(u) for u in wanted["different_host"]]
        if spec["server_group_id"]:
            groups = models.server_groups
            group = connection.execute(sa.select(groups.c.policy, groups.c.max_server_per_host).where(
                groups.c.id == spec["server_group_id"])).first()
            members = connection.execute(sa.select(TABLE.c.host).where(
                TABLE.c.server_group_id == spec["server_group_id"], TABLE.c.host.is_not(None),
                TABLE.c.uuid != spec["uuid"])).scalars().all()
            if group is not None:
                resolved["group"] = {"policy": group.policy, "most": group.max_server_per_host or 1,
                                     "hosts": list(members)}
        return resolved

    def place(self, ctx, spec: dict) -> str | None:
        """Claim a host for one server.

        :returns: the host; None: the server is placed already, or being deleted
        :raises NoValidHost: and nothing was claimed
        """
        started = time.time()
        for attempt in range(self.CLAIM_TRIES):
            candidates = self.hosts(fresh=attempt > 0)
            resolved = spec
            if spec["hints"] or spec["server_group_id"]:
                with self.db.reader() as connection:
                    resolved = self._resolve(connection, spec)
            host = self.choose(candidates, resolved)
            try:
                placed = self.db.transact(self._claim, ctx, host, spec, started)
            except _HostChanged:
                time.sleep(random.uniform(0, 0.01) * attempt)
                continue
            if not placed:
                return None
            self._remember(host, spec)
            return host["host"]
        raise errors.ServiceUnavailable(part="the scheduler: too many requests compete for the same hosts")

    def _claim(self, connection, ctx, host: dict, spec: dict, started: float) -> bool:
        """False: the server is not waiting for a host. :raises _HostChanged: the host has changed; nothing was written"""
        try:
            machine.begin(connection, spec["uuid"], "schedule", also=[
                TABLE.c.host.is_(None), *machine.of_attempt(spec.get("attempt"))], host=host["host"])
        except (errors.InvalidState, errors.NotFound):
            return False
        if not allocations.claim(connection, host, spec["uuid"], spec):
            raise _HostChanged
        actions.events(connection, ctx.request_id, spec["uuid"], [
            {"event": "schedule", "host": host["host"], "start": started, "finish": time.time(), "result": "Success"}])
        return True

    def _remember(self, host: dict, spec: dict) -> None:
        with self._lock:
            known = self._hosts.get(host["id"])
            if known and known["generation"] == host["generation"]:
                known.update(generation=known["generation"] + 1, vcpus_used=known["vcpus_used"] + spec["vcpus"],
                             memory_mb_used=known["memory_mb_used"] + spec["memory_mb"],
                             local_gb_used=known["local_gb_used"] + spec["disk_gb"],
                             running_vms=known["running_vms"] + 1)

    @units.unit
    def refuse(self, ctx, spec: dict, error: errors.NoValidHost) -> None:
        """Tell the owner that there is no host, and why the hosts that tried it failed."""
        uuid, text = spec["uuid"], str(error)
        if spec["last_failure"]:
            text = f"{spec['last_failure']} No other host is left. {text}"
        event = {"event": "schedule", "start": time.time(), "finish": time.time(), "result": "Error", "details": text}
        with self.db.writer() as connection:
            if not machine.fail(connection, uuid, "schedule", attempt=spec.get("attempt"), fault=machine.fault(text)):
                return  # another answer to the same request found a host, or it is being deleted
            actions.events(connection, ctx.request_id, uuid, [event])
            actions.failed(connection, ctx.request_id, uuid, text)
