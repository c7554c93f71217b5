"""Hosts' network agents without kernels, on the API in this process, and a bus that loses, doubles and delays messages."""

import json
import random
import threading
import types

from common import batches
from common.periodic import wait_for
from network import roles
from network.agent.replica import Replica
from network.agent.service import Manager
from network.db import heartbeats, state
from network.db.changes import Change
from network.rpcapi import NetworkAgentAPI, NetworkAPI
from network.service import Manager as Api

SERVER = "11111111-1111-4111-8111-{:012}"


class Host:
    """An agent: its replica, its endpoint, and a data plane that keeps what it was given."""

    def __init__(self, fleet, name: str):
        self.fleet, self.name, self.pulls = fleet, name, 0
        self.start()

    def start(self) -> None:
        self.pull_wanted = False
        agent = types.SimpleNamespace(
            lock=threading.Lock(), plugged=0, applied=threading.Event(), replica=Replica(), dataplane=self,
            resyncer=types.SimpleNamespace(wanted=threading.Event(), refresh=self._refresh))
        self.replica, self.manager = agent.replica, Manager(agent)
        self.pull()
        agent.applied.set()

    def _refresh(self) -> None:
        self.pull_wanted = True

    def networks(self) -> set[str]:
        return set()

    def apply(self, part: dict, *, partial: bool) -> None:
        assert partial
        self.plugged = {p["id"] for p in part["ports"] if p["here"]}

    def pull(self, *, meanwhile=lambda: None) -> None:
        """:param meanwhile: what happens after the state was read and before it comes"""
        self.pulls += 1
        self.pull_wanted = False
        self.replica.pull_begins()
        with self.fleet.service.db.reader() as connection:
            found = asked(state.of_host(connection, self.name))
        meanwhile()
        self.replica.pulled(found)

    def beat(self) -> None:
        facts = {"roles": self.fleet.roles[self.name], "tunneling_ip": f"192.0.2.{1 + list(self.fleet.roles).index(self.name)}"}
        self.fleet.manager.heartbeat(None, self.name, {**facts, "sequence": self.replica.sequence})

    def settle(self) -> None:
        """What the agent's loop does when it waited for missing changes in vain."""
        if self.pull_wanted or self.replica.pull_in_s() is not None:
            self.pull()


class Fleet:
    """``received``: (method, host) of all that was told. With ``chance`` each ``changed`` is lost, doubled or delayed."""

    def __init__(self, service, count: int, seed: int = 0):
        self.service, self.random, self.chaos = service, random.Random(seed), False
        self.received: list[tuple[str, str]] = []
        self.late: list[tuple[str, dict]] = []
        service.agents, self.manager = self, Api(service)
        self.manager.heartbeats.interval_s = 0
        service.fanout._batch = batches.Batch(service.fanout._notify_hosts, merge=Change.followed_by, interval_s=0)
        self.roles = {f"host{i}": [roles.BRIDGE, *([roles.DHCP, roles.L3] if i < 2 else [])] for i in range(count)}
        with service.db.writer() as connection:
            heartbeats.write(connection, {name: {"roles": own, "tunneling_ip": f"192.0.2.{i + 1}"}
                                          for i, (name, own) in enumerate(self.roles.items())})
        self.hosts = {name: Host(self, name) for name in self.roles}
        for host in self.hosts.values():
            host.pulls = 0

    # What the API calls ---------------------------------------------------------

    def plug(self, ctx, host: str, state: dict, timeout_s: int) -> None:
        self.received.append(("plug", host))
        self.hosts[host].manager.plug(ctx, **sent("plug", host=host, state=state, timeout_s=timeout_s))

    def changed(self, ctx, host: str, change: dict) -> None:
        self.received.append(("changed", host))
        change = sent("changed", host=host, change=change)["change"]
        fate = self.random.choice(("lost", "doubled", "late", "late", "fine", "fine")) if self.chaos else "fine"
        for _ in range({"lost": 0, "doubled": 2, "late": 0, "fine": 1}[fate]):
            self.hosts[host].manager.changed(ctx, change)
        if fate == "late":
            self.late.append((host, change))
        if self.late and self.random.random() < 0.5:
            where, old = self.late.pop(self.random.randrange(len(self.late)))
            self.hosts[where].manager.changed(ctx, old)

    def refresh(self, ctx, host: str, sequence: int) -> None:
        self.received.append(("refresh", host))
        self.hosts[host].manager.refresh(ctx, **sent("refresh", host=host, sequence=sequence))

    def hosts_added(self, ctx, addresses: list) -> None:
        for host in self.hosts.values():
            host.manager.hosts_added(ctx, **sent("hosts_added", addresses=addresses))

    # What tests ask -------------------------------------------------------------

    def told(self) -> list[tuple[str, str]]:
        """What was told since the last question."""
        found, self.received = sorted(self.received), []
        return found

    def heartbeats(self) -> None:
        for host in self.hosts.values():
            host.beat()
            host.settle()

    def check(self, what) -> None:
        """Every host's replica is what a pull would bring, once all is sent that two requests at once left to another thread."""
        wait_for(lambda: not self.service.fanout._batch._busy, 10, what="what is to be sent")
        for name, host in self.hosts.items():
            with self.service.db.reader() as connection:
                wanted = asked(state.of_host(connection, name))
            has, wants = comparable(host.replica.state()), comparable(wanted)
            assert {k: (v, wants[k]) for k, v in has.items() if v != wants[k]} == {}, (name, what)


def sent(name: str, **arguments) -> dict:
    """The arguments of a message as they come out of the bus."""
    method = NetworkAgentAPI.methods[name]
    return method.read(json.loads(json.dumps(method.message(arguments, method.version))))


def asked(answer: dict) -> dict:
    """A host's state as it comes out of the bus."""
    method = NetworkAPI.methods["get_state"]
    return method.result(json.loads(json.dumps(method.answer(answer))))


def comparable(state: dict) -> dict:
    here = [p for p in state["ports"] if p["here"]]
    own = {g for p in here for g in p["security_groups"]}
    groups = state["groups"]
    remote = {r["remote_group_id"] for g in own if g in groups for r in groups[g]["rules"] if r["remote_group_id"]}
    return {"networks": {n["id"]: n for n in state["networks"]}, "ports": {p["id"]: {**p, "fixed_ips": sorted(
        p["fixed_ips"], key=str)} for p in state["ports"]},
        "routers": sorted(json.dumps(r, sort_keys=True) for r in state["routers"]),
        "rules": {g: groups[g]["rules"] for g in own}, "members": {g: sorted(groups[g]["members"]) for g in remote}}
