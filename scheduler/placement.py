"""Places servers: filters, weighs and claims hosts.

Hosts are cached. Their usage is refreshed between decisions, for all hosts in one statement; their capabilities only if their
reports changed. One of the best few hosts is chosen at random, so that concurrent schedulers rarely choose the same one. A claim
is conditional on the free resources in the database, so schedulers cannot overcommit a host together; if it fails, only that host
is read again.
"""

import heapq
import importlib
import random
import threading
import time
import typing

import sqlalchemy as sa

from common import db, errors, periodic, rows, units
from common.conf import ConfigError
from conductor.db import actions, aggregates, allocations, hosts, instances, machine, models
from scheduler import filters, weighers
from scheduler.filters import groups

TABLE = models.instances
SAMPLE = 200  # number of hosts considered for a server without special requests: the best of a sample is nearly the best of all
OLD = 5  # multiple of host_cache_s after which the cache is not used for a decision
HOSTS_FOR_ONE = 20  # for each so many suitable hosts, the best few include one more


def plugins(option: str, named: dict[str, type], conf) -> list:
    """Objects of the classes that an option names.

    :raises ConfigError: an unknown name
    """
    found = []
    for name in conf.filter_scheduler[option]:
        home, _, cls = name.rpartition(":")
        if not home and name not in named:
            raise ConfigError(f"[filter_scheduler] {option}: {name} is unknown; expected one of {', '.join(sorted(named))}, "
                              "or module:Class")
        found.append((getattr(importlib.import_module(home), cls) if home else named[name])(conf))
    return found


class HostFull(Exception):
    """Since the host was read, others have claimed too much of it, or its aggregates have changed."""


class AgainstGroup(Exception):
    """Members of the server's group were placed since they were read, so that its policy no longer allows the host."""


class Refresher(periodic.Periodic):
    """Refreshes the cached hosts, so that decisions do not wait for that: reading 1,000 hosts takes longer than choosing one."""

    interval_s, jitter_s = 0.5, 0.1

    def __init__(self, placement: "Placement"):
        self.placement = placement

    def run_once(self) -> None:
        self.placement.refresh_if_due()


class Placement:
    CLAIM_TRIES = 25
    SILENCE_S = 120

    def __init__(self, conf, database):
        self.conf, self.db = conf, database
        self.filters = [cls(conf) for cls in filters.ALWAYS] + plugins("enabled_filters", filters.NAMED, conf)
        self.weighers = plugins("weight_classes", weighers.NAMED, conf)
        self.group_filters = [one for one in self.filters if isinstance(one, groups.ServerGroupFilter)]
        self._wants_io_ops = any(one.wants_io_ops for one in (*self.filters, *self.weighers))
        self._hosts: dict[str, dict] = {}
        self._read_at = 0.0
        self._used, self._took_s = False, 0.0  # whether a decision was made since; the duration of the last refresh
        self._lock = threading.Lock()

    def hosts(self, *, fresh: bool = False, most: int | None = None) -> list[dict]:
        """Copies of the cached hosts, or of ``most`` of them, chosen at random."""
        if fresh or time.monotonic() - self._read_at > self.conf.scheduler.host_cache_s * OLD:
            self._refresh()
        self._used = True
        with self._lock:
            known = list(self._hosts.values())
            chosen = random.sample(known, most) if most is not None and most < len(known) else known
            copies = [dict(h) for h in chosen]
        now, down_time_s = db.now(), self.conf.service_down_time
        for host in copies:
            host["up"] = hosts.is_up(host, down_time_s, now)
        return copies

    def refresh_if_due(self) -> None:
        """Refresh the cache if decisions use it and it is older than ``host_cache_s``, or before it is too old to be used. At
        most a hundredth of the time is spent on that, so few decisions are delayed by it."""
        age_s, cache_s = time.monotonic() - self._read_at, self.conf.scheduler.host_cache_s
        if age_s > cache_s * OLD / 2 or self._used and age_s > max(cache_s, 100 * self._took_s):
            self._refresh()

    def _refresh(self) -> None:
        began, self._used = time.monotonic(), False
        with self.db.reader() as connection:
            found = self._read(connection)
        with self._lock:
            self._hosts, self._read_at = found, time.monotonic()
            self._took_s = self._read_at - began

    def _read(self, connection) -> dict[str, dict]:
        with self._lock:
            known = {i: (h["report_digest"], h["facts"]) for i, h in self._hosts.items()}
            grouped = {h["host"]: (h["aggregates_generation"], h["aggregates"]) for h in self._hosts.values()}
        found = {h["id"]: h for h in hosts.all_nodes(connection, facts=False)}
        changed = [i for i, h in found.items() if h["report_digest"] is None or known.get(i, ("",))[0] != h["report_digest"]]
        facts = {i: of for i, (_, of) in known.items()} | (hosts.facts_of(connection, changed) if changed else {})
        # Read after the hosts: with aggregates that changed in between, a claim fails because of the generation.
        moved = [h["host"] for h in found.values() if grouped.get(h["host"], (0, []))[0] != h["aggregates_generation"]]
        of = {name: those for name, (_, those) in grouped.items()} | dict.fromkeys(moved, []) | (
            aggregates.of_hosts(connection, moved) if moved else {})
        io_ops = self._io_ops(connection)
        return {i: self._whole({**h, "facts": facts[i]}, of, io_ops) for i, h in found.items() if i in facts}

    def _io_ops(self, connection) -> dict[str, int] | None:
        """{host: number of its servers with I/O operations in progress}; None: no filter or weigher needs it."""
        return instances.io_ops(connection) if self._wants_io_ops else None

    def _whole(self, host: dict, of: dict[str, list[dict]], io_ops: dict[str, int] | None) -> dict:
        own = of.get(host["host"], [])
        return {**host, "aggregates": own, "zone": aggregates.zone_of(own, self.conf.compute.default_availability_zone),
                "io_ops": None if io_ops is None else io_ops.get(host["host"], 0)}

    def _read_one(self, node_id: str) -> None:
        """Read a host again whose cached values were outdated."""
        with self.db.reader() as connection:
            found = hosts.all_nodes(connection, node_id=node_id)
            of = aggregates.of_hosts(connection, [h["host"] for h in found]) if any(
                h["aggregates_generation"] for h in found) else {}
            io_ops = self._io_ops(connection)
        with self._lock:
            self._hosts.pop(node_id, None)
            self._hosts.update({h["id"]: self._whole(h, of, io_ops) for h in found})

    def choose(self, candidates: list[dict], spec: dict) -> dict:
        """One of the best hosts. Raises the same exceptions as ``best``."""
        return self.best(candidates, spec)[0]

    def best(self, candidates: list[dict], spec: dict) -> list[dict]:
        """The best hosts, in random order: a twentieth of the suitable ones, at least one, at most ``host_subset_size``.

        :raises NoValidHost: with the number of hosts that each filter removed
        :raises ServiceUnavailable: all hosts stopped reporting a short time ago; the reconciler repeats the request
        """
        self._silence(candidates)
        left, removed = candidates, []
        for one in self.filters:
            fitting = [h for h in left if one.passes(h, spec)]
            if len(fitting) < len(left):
                removed.append(f"{len(left) - len(fitting)} {one.reason(spec)}")
            left = fitting
        if not left:
            reason = ", ".join(removed) or "no compute host is registered"
            raise errors.NoValidHost(reason=f"There are not enough hosts available. Of {len(candidates)} hosts: {reason}.")

        def weight(host):
            return sum(w.multiplier(host) * w.weigh(host, spec) for w in self.weighers) + random.uniform(0, 1e-6)
        few = heapq.nlargest(min(self.conf.scheduler.host_subset_size, 1 + len(left) // HOSTS_FOR_ONE), left, key=weight)
        random.shuffle(few)
        return few

    def limits(self, host: dict) -> dict:
        """{column of the host's usage: its maximum}, the lowest of all filters."""
        found: dict[str, float] = {}
        for one in self.filters:
            for name, most in one.limits(host).items():
                found[name] = min(most, found.get(name, most))
        return found

    def _silence(self, candidates: list[dict]) -> None:
        """If all hosts stop reporting at once, the bus is more likely to have failed than the hosts. When it is back, requests
        arrive before the next heartbeats."""
        usable = [h for h in candidates if not h["disabled"]]
        if usable and not any(h["up"] for h in usable) and any(
                hosts.is_up(h, self.conf.service_down_time + self.SILENCE_S) for h in usable):
            raise errors.ServiceUnavailable(part="the compute hosts: none has been heard of for a while")

    def resolve(self, connection, spec: dict) -> dict:
        """Resolve hints and groups, which name servers, to hosts."""
        hints, known, own = spec["hints"], {}, {}
        wanted = {name: [v] if isinstance(v, str) else [u for u in v if isinstance(u, str)] for name, v in hints.items()
                  if name in ("same_host", "different_host") and isinstance(v, (str, list))}
        ids = [u for us in wanted.values() for u in us]
        if ids:
            found = connection.execute(
                sa.select(TABLE.c.uuid, TABLE.c.host, TABLE.c.project_id).where(TABLE.c.uuid.in_(ids))).all()
            known = {uuid: host for uuid, host, _ in found}
            own = {uuid: host for uuid, host, owner in found if owner == spec["project_id"]}
        resolved = {**spec, "group": None, "near_hosts": None, "far_hosts": []}
        if "same_host" in wanted:
            # Whoever wants to share a host with strangers may want to attack them; to stay away from them harms nobody.
            resolved["near_hosts"] = [own.get(u) for u in wanted["same_host"]]
        if "different_host" in wanted:
            resolved["far_hosts"] = [known.get(u) for u in wanted["different_host"]]
        if spec["server_group_id"]:
            resolved["group"] = self._group(connection, spec)
        return resolved

    @staticmethod
    def _group(connection, spec: dict) -> dict | None:
        """A server's group, as filters and weighers read it; locked in a write transaction. Includes hosts to which members are
        being migrated."""
        group, held = rows.find(connection, models.server_groups, spec["server_group_id"]), allocations.TABLE
        if group is None:
            return None
        members = connection.execute(sa.select(held.c.host).join(TABLE, TABLE.c.uuid == held.c.instance_uuid).where(
            TABLE.c.server_group_id == group["id"], TABLE.c.uuid != spec["uuid"])).scalars()
        return {"policy": group["policy"], "most": group["max_server_per_host"] or 1, "hosts": list(members)}

    def check_group(self, connection, host: dict, spec: dict) -> None:
        """Part of a claim. The other members of the group are placed after its transaction, and see its result.

        :param spec: as returned by ``resolve``; nothing is read if its group has no strict policy
        :raises AgainstGroup: the policy does not allow the host any more
        """
        if spec["group"] and spec["group"]["policy"] in groups.STRICT and self.group_filters:
            now = {**spec, "group": self._group(connection, spec)}
            if not all(one.passes(host, now) for one in self.group_filters):
                raise AgainstGroup

    def place(self, ctx, spec: dict) -> str | None:
        """Claim a host for one server.

        :returns: the host; None: the server has been placed already, or is being deleted
        :raises NoValidHost: and nothing was claimed
        """
        started, fresh = time.time(), False
        resolved, most = {**spec, "group": None}, typing.cast(int | None, SAMPLE)
        if spec["hints"] or spec["server_group_id"] or spec["requested_host"]:
            most = None  # only one of all hosts may be suitable
        for attempt in range(self.CLAIM_TRIES):
            candidates = self.hosts(fresh=fresh, most=most)
            if spec["hints"] or spec["server_group_id"]:
                with self.db.reader() as connection:
                    resolved = self.resolve(connection, spec)
            try:
                few = self.best(candidates, resolved)
            except (errors.NoValidHost, errors.ServiceUnavailable):
                if fresh:
                    raise
                # Others may be suitable, or resources may have been released since the hosts were read.
                most, fresh = None, True
                continue
            for host in few:
                try:
                    placed = self.db.transact(self._claim, ctx, host, resolved, started)
                except HostFull:
                    self._read_one(host["id"])
                    continue
                except AgainstGroup:
                    continue
                if not placed:
                    return None
                self.remember(host, spec)
                return host["host"]
            time.sleep(random.uniform(0, 0.01) * attempt)
        raise errors.ServiceUnavailable(part="the scheduler: too many requests compete for the same hosts")

    def _claim(self, connection, ctx, host: dict, spec: dict, started: float) -> bool:
        """False: the server is not waiting for a host.

        :raises HostFull, AgainstGroup: the host lacks resources, or the group's policy excludes it; nothing was written
        """
        self.check_group(connection, host, spec)
        try:
            machine.begin(connection, spec["uuid"], "schedule", also=[
                TABLE.c.host.is_(None), *machine.of_attempt(spec.get("attempt"))], host=host["host"],
                availability_zone=host["zone"])
        except (errors.InvalidState, errors.NotFound):
            return False
        if not allocations.claim(connection, host, spec["uuid"], spec, self.limits(host)):
            raise HostFull
        actions.events(connection, ctx.request_id, spec["uuid"], [
            {"event": "schedule", "host": host["host"], "start": started, "finish": time.time(), "result": "Success"}])
        return True

    def remember(self, host: dict, spec: dict) -> None:
        with self._lock:
            known = self._hosts.get(host["id"])
            if known:  # concurrent claims of other schedulers are seen at the next refresh
                known.update(vcpus_used=known["vcpus_used"] + spec["vcpus"],
                             memory_mb_used=known["memory_mb_used"] + spec["memory_mb"],
                             local_gb_used=known["local_gb_used"] + spec["disk_gb"],
                             running_vms=known["running_vms"] + 1)
                if known["io_ops"] is not None:
                    known["io_ops"] += 1

    @units.unit
    def refuse(self, ctx, spec: dict, error: errors.NoValidHost) -> None:
        """Set the server to ERROR with a fault: no host is suitable, and why earlier hosts failed."""
        uuid, text = spec["uuid"], str(error)
        if spec["last_failure"]:
            text = f"{spec['last_failure']} No other host is left. {text}"
        event = {"event": "schedule", "start": time.time(), "finish": time.time(), "result": "Error", "details": text}
        with self.db.writer() as connection:
            if not machine.fail(connection, uuid, "schedule", attempt=spec.get("attempt"), fault=machine.fault(text)):
                return  # a repeated request found a host, or the server is being deleted
            actions.events(connection, ctx.request_id, uuid, [event])
            actions.failed(connection, ctx.request_id, uuid, text)
