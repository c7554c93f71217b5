"""A replica of the host's desired state, kept up to date by numbered changes from network-api.

Changes are applied in order. One that arrives early waits for the missing ones, and a repeated one is dropped. If changes are
missing for WAIT_S, because a message was lost or its sender ended, the whole state is pulled. Heartbeats report the sequence
number of the host, and the response reveals missing changes, so that the loss of the last change is noticed too.

A plug is urgent, because a guest waits for it. It is applied immediately, and again in its turn, because an earlier change that
arrives after it may be older.
"""

import threading
import time
import typing

WAIT_S = 2.0
MAX_WAITING = 1000
_BY_ID = ("networks", "ports", "routers")


class Replica:
    """Thread-safe. ``sequence``: the number up to which all changes are applied; None: nothing was pulled yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.sequence: int | None = None
        self._state: dict[str, dict] = {kind: {} for kind in (*_BY_ID, "groups")}
        self._hosts: set[str] = set()
        self._changes: dict[int, dict] = {}  # {number: change} waiting for earlier ones
        self._recent: dict[int, dict] = {}  # changes received since a pull began, whose result may be older
        self._expected = 0
        self._behind_since: float | None = None

    def pull_begins(self) -> None:
        with self._lock:
            self._recent = {}

    def pulled(self, state: typing.Mapping[str, typing.Any]) -> None:
        """Replace the state by a pulled one, and apply newer changes to it."""
        with self._lock:
            before, self.sequence = self.sequence, state.get("sequence")
            self._state = {kind: {x["id"]: x for x in state[kind]} for kind in ("networks", "ports")}
            self._state["groups"] = dict(state["groups"])
            self._state["routers"] = {}
            for part in state["routers"]:
                self._state["routers"].setdefault(part["id"], []).append(part)
            self._hosts = set(state.get("hosts", ()))
            newer = {**self._recent, **self._changes}
            self._changes = {n: c for n, c in newer.items() if self.sequence is not None and n > self.sequence}
            self._recent = {}
            self._expected = max([self.sequence or 0, before or 0, *self._changes])
            self._advance()
            for change in self._urgent():
                self._put(change)

    def offer(self, change: dict, *, urgent: bool = False) -> bool:
        """Accept a change; returns whether the state has changed.

        :param change: as ``network.db.deltas`` makes it, with ``sequences``: those that it covers, its own the highest
        """
        with self._lock:
            numbers = change["sequences"]
            own = max(numbers, default=0)
            if self.sequence is not None and own and own <= self.sequence:
                return False  # it was received before, or is part of a pull
            if urgent:
                self._put(change)
            if own:
                for known in (self._changes, self._recent):
                    for number in numbers:
                        known.setdefault(number, {})
                    known[own] = {**change, "urgent": urgent}
                    if len(known) > MAX_WAITING:  # the pending pull has them all
                        known.clear()
            self._expected = max(self._expected, own)
            return self._advance() or urgent

    def expect(self, sequence: int) -> None:
        """network-api's sequence number. If it is lower than that of the replica, network-api has lost data, so everything is
        pulled."""
        with self._lock:
            self._expected = max(self._expected, sequence)
            if self.sequence is not None and sequence < self.sequence:
                self.sequence, self._expected, self._changes = None, sequence, {}
            self._note_gap()

    def hosts_added(self, addresses: list[str]) -> bool:
        with self._lock:
            known = set(self._hosts)
            self._hosts |= set(addresses)
            return self._hosts != known

    def pull_in_s(self) -> float | None:
        """Seconds until the whole state must be pulled because changes are missing; None: none are."""
        with self._lock:
            if self._behind_since is None:
                return None
            return max(0.0, self._behind_since + WAIT_S - time.monotonic())

    def _advance(self) -> bool:
        """Apply changes that are in order; the lock is held."""
        moved = False
        while self.sequence is not None and self.sequence + 1 in self._changes:
            self.sequence += 1
            self._put(self._changes.pop(self.sequence))
            moved = True
        if moved:
            for change in self._urgent():
                self._put(change)
        self._note_gap()
        return moved

    def _urgent(self) -> list[dict]:
        """The waiting changes that were applied before their turn."""
        return [change for _, change in sorted(self._changes.items()) if change.get("urgent")]

    def _note_gap(self) -> None:
        if self.sequence is not None and self._expected <= self.sequence:
            self._behind_since = None
        elif self._behind_since is None and self.sequence is not None:
            self._behind_since = time.monotonic()

    def _put(self, change: dict) -> None:
        whole = set(change.get("whole", ()))
        if whole:
            self._state["ports"] = {i: p for i, p in self._state["ports"].items() if p["network_id"] not in whole}
        for kind in _BY_ID:
            for thing_id, thing in change.get(kind, {}).items():
                if thing:
                    self._state[kind][thing_id] = thing
                else:
                    self._state[kind].pop(thing_id, None)
        for group_id, group in change.get("groups", {}).items():
            known = self._state["groups"].get(group_id, {"rules": []})
            news = {"members": group["members"]} if group.get("only_members") else group
            self._state["groups"][group_id] = {**known, **news}

    def state(self) -> dict:
        """The whole state for the data plane, without what no port or router of this host needs any more."""
        with self._lock:
            networks = self._state["networks"]
            routers = [part for parts in self._state["routers"].values() for part in parts]
            routed = {leg["network_id"] for r in routers for leg in r["interfaces"]}
            ports = [p for p in self._state["ports"].values() if p["network_id"] in networks and (
                p["here"] or networks[p["network_id"]]["serves"] or p["network_id"] in routed)]
            used = {p["network_id"] for p in ports} | routed | {r["gateway"]["network_id"] for r in routers if r["gateway"]}
            kept = [n for i, n in networks.items() if i in used]
            return {"networks": kept, "ports": ports, "groups": self._groups(ports), "routers": routers,
                    "hosts": sorted(self._hosts | {peer for n in kept for peer in n["peers"]})}

    def _groups(self, ports: list[dict]) -> dict[str, dict]:
        known = self._state["groups"]
        own = {g for p in ports if p["here"] for g in p["security_groups"] if g in known}
        remote = {r["remote_group_id"] for g in own for r in known[g]["rules"] if r["remote_group_id"] in known}
        return {g: known[g] for g in sorted(own | remote)}

    def part(self, change: dict) -> dict:
        """The current state of what a change named: networks, ports and groups, as a partial state for the data plane."""
        whole = self.state()
        found: dict[str, typing.Any] = {
            kind: [x for x in whole[kind] if x["id"] in change.get(kind, {})] for kind in ("networks", "ports")}
        groups = {g: group for g, group in whole["groups"].items() if g in change.get("groups", {})}
        return {**found, "groups": groups, "hosts": whole["hosts"]}
