"""Move a real guest between the two hosts of a lab, and bring a fault into each step of that: nothing may be lost, or left.

    deploy/isolate moves python -m tests.bench.migrations --image guest.qcow2
    deploy/isolate moves python -m tests.bench.migrations --image guest.qcow2 --part 2/4 --seed 7
    deploy/isolate moves python -m tests.bench.migrations --image guest.qcow2 --only migrate/forward/copy revert_resize/undo

Each step of a migration, of its confirmation and its way back, and of the undoing of both, fails, is done twice, and loses the
source's agent, the target's, or the conductor (``kill -9``). The guest has a volume and a floating IP. After each, its server
must be where it belongs, reached at that address, with its data, and nothing of it be left on the other host. One operation has
the same harm done at each of its steps, one after the other, but one failure only. Prints a line for each move, and exits with 1
where one was not survived. It makes a cloud under $PILEUS_STATE and takes it away at the end.
"""

import argparse
import collections
import contextlib
import dataclasses
import itertools
import pathlib
import random
import sys
import threading
import time
import traceback

from common import conf, context, errors
from common.periodic import wait_for
from compute_agent import conf as agent_conf
from compute_agent.rpcapi import AgentAPI
from conductor.db import allocations, operations
from conductor.db.operations import FORWARD, UNDO
from conductor.operations.resize import Confirm, Migrate, Revert
from conductor.service import Conductor
from tests.bench import breakages
from tests.bench.clouds import real_cloud
from tests.e2e.migrating import OTHER, Mover, kill

KINDS = {k.kind: k for k in (Migrate, Confirm, Revert)}
ACTIONS = {"migrate": "migrate", "confirm_resize": "confirmResize", "revert_resize": "revertResize"}
KILLS = {"kill source": "source", "kill target": "target", "kill conductor": ""}
WHATS = ("fail", "double", *KILLS)
# The member of the operation's data that names the host which does a step, or its undo.
DOES = {"migrate": {"stop": "source", "copy": "target", "start": "target"}, "confirm_resize": {"remove": "source"},
        "revert_resize": {"stop": "target", "start": "source", "remove": "target"}}
# What makes a step fail, as of ``breakages``; a step that is not here has nothing that could fail.
FAILS = {("migrate", FORWARD, "claim"): "no_host", ("migrate", FORWARD, "copy"): "no_space",
         **{(k, FORWARD, "start"): "no_qemu" for k in ("migrate", "revert_resize")},
         **{(k, FORWARD, "stop"): "no_libvirt" for k in ("migrate", "revert_resize")},
         **{(k, FORWARD, "disconnect"): "no_volumes" for k in ("migrate", "revert_resize")},
         **{(k, FORWARD, "remove"): "held_files" for k in ("confirm_resize", "revert_resize")},
         **{(k, UNDO, "start"): "no_libvirt" for k in ("migrate", "revert_resize")},
         **{(k, UNDO, "connect"): "no_volumes" for k in ("migrate", "revert_resize")},
         **{(k, UNDO, "stop"): "no_qemu" for k in ("migrate", "revert_resize")},
         ("migrate", UNDO, "copy"): "held_files"}
# These are there before the step begins and make its operation go back; the others pass after a while.
LASTING = {("migrate", FORWARD, "claim"), *((k, FORWARD, s) for k in DOES for s in ("copy", "start"))}
PASSES_S = 4.0
END_S, REMOVED_S = 300.0, 90.0
TRIES = 8  # for a step that is over before it was seen: some take a few milliseconds


@dataclasses.dataclass(frozen=True)
class Fault:
    kind: str
    phase: str
    step: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.phase}/{self.step}: {self.what}"

    @property
    def at(self) -> tuple[str, str, str]:
        return self.kind, self.phase, self.step

    @property
    def turns_back(self) -> bool:
        return self.phase == UNDO or self.what == "fail" and self.at in LASTING


def faults() -> list[Fault]:
    found = []
    for kind, operation in KINDS.items():
        back = operation.steps[:operation.steps.index("start") + 1] if "start" in operation.undoable else ()
        forward = [step for step in operation.steps if step not in operation.idle]  # which are over with the step before
        for phase, steps in ((FORWARD, forward), (UNDO, back)):
            found += [Fault(kind, phase, step, what) for step in steps for what in WHATS
                      if what != "fail" or (kind, phase, step) in FAILS]
    return found


def _position(kind: str, phase: str, step: str) -> tuple[bool, int]:
    """Of a step in its operation: those of the way back come after all others, in reverse."""
    index = KINDS[kind].steps.index(step)
    return (True, -index) if phase == UNDO else (False, index)


def journeys(chosen: list[Fault], order: random.Random) -> list[list[Fault]]:
    """Each with what is done to one migration, to what follows it, or to both, so that no move is made for nothing."""
    groups: dict[tuple, list[Fault]] = {}
    for fault in sorted(chosen, key=lambda f: _position(*f.at)):
        groups.setdefault((fault.kind, fault.phase, fault.what, fault.step if fault.what == "fail" else ""), []).append(fault)
    there = [g for g in groups.values() if g[0].kind == "migrate"]
    stays, arrives = [g for g in there if g[0].turns_back], [g for g in there if not g[0].turns_back]
    after = [g for g in groups.values() if g[0].kind != "migrate"]
    for each in (arrives, after):
        order.shuffle(each)
    none: list[Fault] = []
    found = stays + [first + second for first, second in itertools.zip_longest(arrives, after, fillvalue=none)]
    order.shuffle(found)
    return found


class Missed(Exception):
    """The operation was not seen at the step: it is over."""


class Campaign:
    def __init__(self, real):
        self.real, self.mover = real, Mover(real)
        self.second = Conductor.load(real.state)  # drives operations when it is told to
        self.agents = AgentAPI(conf.load("compute-agent", agent_conf.OPTS, real.state))
        self.breakages = breakages.Breakages(real, self.mover)
        self.server = self.mover.boot()
        self.counts: collections.Counter[str] = collections.Counter()
        self.missed: list[Fault] = []
        self.errors: list[Exception] = []
        self.begun = False  # whether the operation of now was seen

    @property
    def uuid(self) -> str:
        return self.server["id"]

    def _operations(self) -> list[dict]:
        with self.mover.dbs["compute"].reader() as connection:
            return operations.of_server(connection, self.uuid)

    def _row(self) -> dict | None:
        return next((o for o in self._operations() if o["kind"] in KINDS), None)

    def _wait_step(self, at: tuple[str, str, str], timeout_s: float = END_S) -> dict:
        """The operation, as soon as it is there. :raises Missed: it was not seen there"""
        kind, deadline = at[0], time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            row = self._row()
            if row and row["kind"] == kind:
                self.begun, step = True, row["step"] or KINDS[kind].steps[0]
                now, wanted = _position(kind, row["phase"], step), _position(*at)
                if now == wanted:
                    return {**row, "step": step}
                if now > wanted:
                    break
            elif self.begun:
                break
            time.sleep(0.001)
        raise Missed()

    # one fault

    def _bring(self, fault: Fault, source: str, target: str) -> None:
        """:raises Missed: too late"""
        hosts = {"source": source, "target": target}
        if fault.what == "double":
            self._double(self._wait_step(fault.at), hosts.get(DOES[fault.kind].get(fault.step, "")))
        elif fault.what in KILLS:
            daemon = "compute-agent" if KILLS[fault.what] else "conductor"
            self._kill_at(fault, daemon, hosts.get(KILLS[fault.what], self.mover.first))
        elif fault.at not in LASTING:
            with self._broken(fault, hosts, before=fault.step == "remove" or fault.step == "stop" and fault.phase == UNDO):
                time.sleep(PASSES_S)

    def _kill_at(self, fault: Fault, daemon: str, host: str) -> None:
        """Who is to be killed is looked for before, as a step may be short; one that was killed just before is waited for."""
        pid = self.mover.pids(host).get(daemon)
        self._wait_step(fault.at)
        if pid is None:
            pid = wait_for(lambda: self.mover.pids(host).get(daemon), 20, every_s=0.02, what=daemon)
        kill(pid)

    @contextlib.contextmanager
    def _broken(self, fault: Fault, hosts: dict[str, str], *, before: bool):
        """The block runs while the step is under way and cannot be done."""
        host = hosts.get(DOES[fault.kind].get(fault.step, ""), "")
        if before:
            with self.breakages.of(FAILS[fault.at], host, self.uuid):
                self._wait_step(fault.at)
                yield
            return
        if FAILS[fault.at] == "held_files":  # which the step before has made
            self._wait_step((fault.kind, FORWARD, "start"))
        else:
            self._wait_step(fault.at)
        with self.breakages.of(FAILS[fault.at], host, self.uuid):
            self._wait_step(fault.at)
            yield

    def _double(self, row: dict, host: str | None) -> None:
        """What the conductor sends for the step comes twice more, also when the step is over; what it does by itself, another
        conductor does at the same time."""
        ctx = context.service_context(request_id=row["request_id"], project_id=row["project_id"])
        if host is None:
            with self.mover.dbs["compute"].writer() as connection:
                operations.retry_later(connection, row, -1)
            self.second.operations.run(row["id"])
            return
        for _ in range(2):
            self.agents.operation_step(ctx, host, self.uuid, row["id"], row["number"])
        deadline = time.monotonic() + END_S
        while (now := self._row()) and now["id"] == row["id"] and now["number"] == row["number"]:
            if time.monotonic() > deadline:
                raise Missed()
            time.sleep(0.05)
        self.agents.operation_step(ctx, host, self.uuid, row["id"], row["number"])

    def _bring_all(self, faults: list[Fault], source: str, target: str) -> None:
        for fault in faults:
            try:
                self._bring(fault, source, target)
                self.counts[fault.what] += 1
            except Missed:
                self.missed.append(fault)
            except Exception as error:  # boundary of a thread: shown with the journey
                self.errors.append(error)

    def _run(self, faults: list[Fault], kind: str, *ends: tuple) -> None:
        """Do an action, perhaps with faults, and wait until it has ended in one of these ways."""
        self.begun = False
        _, here, _ = self.mover.state(self.server)
        there = OTHER if here == self.mover.first else self.mover.first
        source, target = (here, there) if kind == "migrate" else (there, here)
        bringing = threading.Thread(target=self._bring_all, args=(faults, source, target), daemon=True)
        with contextlib.ExitStack() as stack:
            if faults and faults[0].turns_back:
                cause = faults[0].at if faults[0].phase == FORWARD else (kind, FORWARD, "start")
                host = {"source": source, "target": target}[DOES[kind].get(cause[2], "target")]
                stack.enter_context(self.breakages.of(FAILS[cause], host, self.uuid))
            bringing.start()
            self.mover.act(self.server, ACTIONS[kind], *ends, timeout_s=END_S)
            bringing.join(END_S)
        if self.errors:
            raise self.errors.pop()

    # a journey and its end

    def journey(self, chosen: list[Fault]) -> list[Fault]:
        """:returns: what was not brought in
        :raises AssertionError: something is not as it must be, or TimeoutError
        """
        self.missed, self.errors = [], []
        self.mover.wait_usable()  # what broke a host before has been repaired, but it may not have said so
        of = {kind: [f for f in chosen if f.kind == kind] for kind in KINDS}
        _, here, _ = self.mover.state(self.server)
        there = OTHER if here == self.mover.first else self.mover.first
        if any(f.turns_back for f in of["migrate"]):
            self._run(of["migrate"], "migrate", ("ACTIVE", here))
            self.check(here, there)
            return self.missed
        self._run(of["migrate"], "migrate", ("VERIFY_RESIZE", there))
        self.mover.check(self.server)
        reverts = of["revert_resize"]
        if reverts and not reverts[0].turns_back:
            self._run(reverts, "revert_resize", ("ACTIVE", here))
            self.check(here, there)
            return self.missed
        if reverts:
            self._run(reverts, "revert_resize", ("VERIFY_RESIZE", there))
            self.mover.check(self.server)
        self._run(of["confirm_resize"], "confirm_resize", ("ACTIVE", there))
        self.check(there, here)
        return self.missed

    def check(self, host: str, other: str) -> None:
        """The server is on ``host``, whole, and nothing of it on ``other``."""
        self.mover.check(self.server)
        # A host that looked down meanwhile, as one without QEMU does, has what is left there removed when it is back.
        wait_for(lambda: not self._operations(), REMOVED_S, what="operations to end")
        self.real.audit()
        left = self.breakages.left_on(other, self.uuid)
        assert not left, f"left on {other}: {left}"
        with self.mover.dbs["compute"].reader() as connection:
            held = allocations.hosts_of(connection, self.uuid)
        assert held == [host], f"it holds a part of {held}"
        volumes = self.mover.attached_to(self.server)
        assert volumes == [host], f"its volume is attached to {volumes}"
        sessions = breakages.sessions(self.server["volume"])
        assert sessions == {host}, f"iSCSI sessions of {sessions}"

    def settle(self) -> None:
        """After what was not survived: a server as at the beginning."""
        with contextlib.suppress(AssertionError, RuntimeError, TimeoutError, errors.Error):
            self.mover.delete(self.server)
        self.server = self.mover.boot()


def campaign(real, args) -> list[str]:
    """:returns: what was not as it must be"""
    chosen = [f for f in faults() if not args.only or any(str(f).startswith(o) for o in args.only)]
    part, parts = map(int, args.part.split("/"))
    todo = collections.deque((each, TRIES) for each in journeys(chosen, random.Random(args.seed))[part - 1::parts])
    made, wrong = Campaign(real), []
    while todo:
        (each, tries), began = todo.popleft(), time.monotonic()
        name = ", ".join(map(str, each)) or "none"
        try:
            missed = made.journey(each)
            said = "survived" + (f", without {len(missed)} that came too late" if missed else "")
            if missed and tries > 1:
                todo.append((missed, tries - 1))
            elif missed:
                wrong.append(f"never brought in: {', '.join(map(str, missed))}")
        except Exception as error:  # boundary of a journey: shown, and the next one begins
            said = f"NOT SURVIVED: {type(error).__name__} {error}"
            traceback.print_exc()
            wrong.append(f"{name}: {said}")
            made.settle()
        print(f"{time.monotonic() - began:6.1f} s  {name}: {said}"[:600], flush=True)
    print(", ".join(f"{what} {count}" for what, count in sorted(made.counts.items())) + " brought in")
    return wrong + _end(real, made)


def _end(real, made: Campaign) -> list[str]:
    made.mover.delete(made.server)
    for found in real.client.call("network", "GET", "/floatingips")["floatingips"]:
        real.client.call("network", "DELETE", f"/floatingips/{found['id']}")
    try:
        real.audit()
    except AssertionError as error:
        return [str(error)]
    return []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", required=True, help="a qcow2 of a guest that lets ssh in")
    parser.add_argument("--seed", type=int, default=1, help="of the order")
    parser.add_argument("--part", default="1/1", help="n/m: only every m-th journey, from the n-th on")
    parser.add_argument("--only", nargs="+", help="faults whose names begin so, as migrate/undo")
    parser.add_argument("--list", action="store_true", help="only name the faults")
    parser.add_argument("--logs", type=pathlib.Path, help="where to keep the daemons' logs")
    args = parser.parse_args()
    if args.list:
        print("\n".join(map(str, faults())))
        return 0
    with real_cloud(args.image, 2, args.logs) as real:
        wrong = campaign(real, args)
        print("\n".join(wrong or ["every fault was survived"]), flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
