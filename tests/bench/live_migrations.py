"""Move a real guest between the two hosts of a lab while it runs: there and back many times, then with a fault at each step.

    deploy/isolate moves python -m tests.bench.live_migrations --image guest.qcow2
    deploy/isolate moves python -m tests.bench.live_migrations --image guest.qcow2 --round-trips 0 --only "migrate: abort"

The guest has a volume and a floating IP. On the round trips it answers pings every 100 ms and holds a TCP session; the longest
time without an answer is printed, and no more than a second may be lost. Then every step of the migration, and every step of the
way back of one that was aborted, loses the source's agent, the target's, or the conductor (``kill -9``), and every step is
aborted: the guest must end on exactly one host without a restart of its kernel, its volume attached there and only there, and the
audit be clean. Exits with 1 where this is not so. It makes a cloud under $PILEUS_STATE and takes it away at the end.
"""

import argparse
import contextlib
import dataclasses
import pathlib
import statistics
import subprocess
import sys
import threading
import time
import traceback

from common.periodic import wait_for
from conductor.db.operations import FORWARD, UNDO
from conductor.operations.live import LiveMigrate
from deploy import host as commands
from tests.bench import breakages
from tests.bench.clouds import real_cloud
from tests.e2e.migrating import OTHER, Mover, Pings, kill

MAX_LOST_S = 1.0
PING_S = 0.1  # of ``Pings``
END_S, CLEAN_S = 240.0, 90.0
TRIES = 8  # for a step that is over before it was seen: some take a few milliseconds
KILLS = {"kill source": "source", "kill target": "target", "kill conductor": ""}
ABORT = "abort"


@dataclasses.dataclass(frozen=True)
class Fault:
    phase: str
    step: str
    what: str

    def __str__(self) -> str:
        return f"{'undo ' if self.phase == UNDO else ''}{self.step}: {self.what}"


def faults() -> list[Fault]:
    done = [step for step in LiveMigrate.steps if step not in LiveMigrate.idle]
    return [*[Fault(FORWARD, step, what) for step in done for what in (ABORT, *KILLS)],
            *[Fault(UNDO, step, what) for step in reversed(LiveMigrate.undoable) for what in KILLS]]


class Session:
    """A TCP session with the guest while the block runs: each second it says a further number."""

    def __init__(self, real, address: str):
        self._words = ["ssh", "-q", "-i", f"{real.state}/first_key", "-o", "StrictHostKeyChecking=no", "-o",
                       "UserKnownHostsFile=/dev/null", f"cirros@{address}",
                       "n=0; while :; do n=$((n+1)); echo $n; sleep 1; done"]
        self.heard = 0

    def __enter__(self) -> "Session":
        self._process = subprocess.Popen(self._words, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()
        wait_for(lambda: self.heard, 60, what="the session")
        return self

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self.heard = int(line)

    def check(self) -> None:
        """:raises TimeoutError: the session is broken"""
        heard = self.heard
        wait_for(lambda: self.heard > heard + 1, 60, what="the session's next numbers")

    def __exit__(self, *about) -> None:
        self._process.kill()
        self._process.wait()


class Campaign:
    def __init__(self, real):
        self.real, self.mover = real, Mover(real)
        self._number_guests_apart()
        self.server = self.mover.boot()
        self.booted_at = self.mover.booted_at(self.server)

    def _number_guests_apart(self) -> None:
        """Boot guests on the first host and delete them, so that both libvirtds never give the server the same number: they make
        their control groups in one tree here, named by number and server, and with one name for both libvirt waits for a second
        until the source's is empty. Hosts with a kernel of their own have no such pause.
        """
        for _ in range(2):
            self.real.delete(self.real.boot("number", availability_zone=f"nova:{self.mover.first}")["id"])

    def _hosts(self) -> tuple[str, str]:
        """(where it is, the other one)"""
        here = self.mover.state(self.server)[1]
        return here, OTHER if here == self.mover.first else self.mover.first

    def round_trips(self, count: int) -> list[str]:
        """:returns: what was not as it must be"""
        gaps, lost = [], []
        with Session(self.real, self.server["address"]) as session:
            for _ in range(2 * count):
                target = self._hosts()[1]
                with Pings(self.server["address"]) as pings:
                    self.mover.move_live(self.server, target)
                    time.sleep(1)
                gaps.append(pings.gap_s)
                lost.append(pings.lost)
                session.check()
                self.check(target)
                print(f"to {target}: {pings.lost} of {pings.sent} pings lost, {pings.gap_s:.2f} s without an answer", flush=True)
        print(f"{2 * count} live migrations: longest time without an answer: median {statistics.median(gaps):.2f} s, at most"
              f" {max(gaps):.2f} s; pings lost: median {statistics.median(lost)}, at most {max(lost)}; the session survived")
        return [f"{max(lost)} pings were lost in one migration"] if max(lost) * PING_S > MAX_LOST_S else []

    def fault(self, fault: Fault) -> bool:
        """:returns: whether it could be brought in"""
        here, there = self._hosts()
        host = {"source": here, "target": there}.get(KILLS.get(fault.what, ""), self.mover.first)
        daemon = "compute-agent" if KILLS.get(fault.what) else "conductor"
        pid = self.mover.pids(host)[daemon]
        self.mover.begin_live(self.server, there)
        if fault.phase == UNDO:
            assert self._reached(FORWARD, "migrate"), "a guest that is not copied"
            self._abort()
        brought = self._reached(fault.phase, fault.step)
        if brought and fault.what == ABORT:
            self._abort()
        elif brought:
            kill(pid)
        end = self.mover.wait(self.server, ("ACTIVE", here), ("ACTIVE", there), timeout_s=END_S)
        if brought and fault.what in KILLS:
            wait_for(lambda: self.mover.pids(host).get(daemon) not in (None, pid), 30, what=f"{daemon} to be back")
        self.check(end[1])
        return brought

    def _reached(self, phase: str, step: str) -> bool:
        """Whether the operation was seen at a step."""
        begun, deadline = False, time.monotonic() + END_S
        while time.monotonic() < deadline:
            now = self.mover.step()
            if now and now[0] == LiveMigrate.kind:
                begun, at = True, (now[1], now[2] or LiveMigrate.steps[0])
                if at == (phase, step):
                    return True
            elif begun:
                return False
            time.sleep(0.001)
        return False

    def _abort(self) -> None:
        """As a user who does not know how far it is: what cannot be aborted any more is refused."""
        path = f"/servers/{self.server['id']}/migrations"
        found = self.mover.call("GET", path, version="2.65")["migrations"]
        for migration in found:
            with contextlib.suppress(RuntimeError):
                self.mover.call("DELETE", f"{path}/{migration['id']}", version="2.65")

    def check(self, host: str) -> None:
        """The server runs on this host only, and has done so all the time."""
        self.mover.check(self.server)
        wait_for(lambda: self.mover.step() is None, CLEAN_S, what="the operation to end")
        assert self.mover.booted_at(self.server) == self.booted_at, "its kernel was started again"
        self.real.audit()
        guests = commands.run("pgrep", "-f", f"qemu.*guest=instance-{self.server['id']}", check=False).stdout.split()
        assert len(guests) == 1, f"{len(guests)} guests"
        attached, sessions = self.mover.attached_to(self.server), breakages.sessions(self.server["volume"])
        assert attached == [host] and sessions == {host}, f"volume attached to {attached}, iSCSI sessions of {sessions}"

    def settle(self) -> None:
        """After what was not survived: a server as at the beginning."""
        with contextlib.suppress(AssertionError, RuntimeError, TimeoutError):
            self.mover.delete(self.server)
        self.server = self.mover.boot()
        self.booted_at = self.mover.booted_at(self.server)


def campaign(made: Campaign, chosen: list[Fault]) -> list[str]:
    """:returns: what was not as it must be"""
    wrong = []
    for fault in chosen:
        began = time.monotonic()
        try:
            brought = any(made.fault(fault) for _ in range(TRIES))
            said = "survived" if brought else "NEVER BROUGHT IN"
        except Exception as error:  # boundary of a fault: shown, and the next one begins
            brought, said = False, f"NOT SURVIVED: {type(error).__name__} {error}"
            traceback.print_exc()
            made.settle()
        print(f"{time.monotonic() - began:6.1f} s  {fault}: {said}"[:400], flush=True)
        if not brought:
            wrong.append(f"{fault}: {said}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", required=True, help="a qcow2 of a guest that lets ssh in")
    parser.add_argument("--round-trips", type=int, default=20)
    parser.add_argument("--only", nargs="+", help='faults with these names, as "undo connect: kill target"; "" for none')
    parser.add_argument("--logs", type=pathlib.Path, help="where to keep the daemons' logs")
    args = parser.parse_args()
    with real_cloud(args.image, 2, args.logs) as real:
        made = Campaign(real)
        wrong = made.round_trips(args.round_trips) if args.round_trips else []
        wrong += campaign(made, [f for f in faults() if args.only is None or str(f) in args.only])
        made.mover.delete(made.server)
        real.audit()
        print("\n".join(wrong or ["every fault was survived"]), flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
