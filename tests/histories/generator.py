"""Random histories: what users ask for, what goes on next, and what goes wrong."""

import collections.abc
import random

from common import errors
from tests.histories import api, checks
from tests.histories.world import HOSTS, World

EVENTS = 30
POWER = ("stop", "start", "reboot-hard", "pause", "unpause", "soft-delete", "restore")
TRIES = 4  # until something that is asked of a server is not refused
MAX_SERVERS = 2  # so that what happens meets
# Of others nobody asks again: their users see what is left, and ask.
TRUNCATED = ("build", "terminate", "attach_volume", "detach_volume", "attach_interface", "image_snapshot")
# What happens next, and how often, in histories of five kinds.
_USUAL = {"create": 12, "delete": 5, "operate": 14, "step": 26, "deliver": 18, "late": 4, "lost": 3, "doubled": 4, "crash": 5,
          "restart": 8, "fail_over": 3, "resend": 8, "recover": 3, "orphans": 2, "operations": 8, "conductor": 2,
          "extensions": 2, "again": 4}
KINDS = {
    "calm": _USUAL,  # whatever is asked for must be done in the end
    "mixed": {**_USUAL, "silence": 4, "speak": 4, "outage": 5, "give_up": 4, "truncate": 2, "power_cut": 2},
    "given up": {**_USUAL, "operate": 3, "give_up": 14, "speak": 4, "recover": 6, "power_cut": 3},
    "broken": {**_USUAL, "delete": 8, "outage": 14, "crash": 10, "restart": 14, "truncate": 6, "power_cut": 4},
    "moved": {**_USUAL, "evacuate": 8, "live": 8, "silence": 2, "speak": 8, "outage": 2, "operations": 14, "all": 4},
}


class History:
    """One history of a world, by its seed."""

    def __init__(self, world: World, seed: int):
        self.world, self.random, self.told = world, random.Random(seed), []
        self.weights = list(KINDS.values())[seed % len(KINDS)]
        # Half of them begin with servers that are there: what is done to these would come too late after a boot.
        self.standing = seed // len(KINDS) % 2 == 1
        if self.standing:
            self.weights = {**self.weights, "operate": 3 * self.weights["operate"] + 20, "create": 4, "all": 12, "again": 8}

    def play(self, events: int = EVENTS) -> None:
        """:raises AssertionError: something was lost, doubled or left"""
        if self.standing:
            self._begin_with_servers()
        while len(self.told) < events:
            what = self.random.choices(list(self.weights), list(self.weights.values()))[0]
            happened = getattr(self, f"_{what}")()
            if happened is not None:
                self.told.append(f"{what} {happened}")
                checks.always(self.world)
        self.world.settle()
        checks.at_rest(self.world)

    def _begin_with_servers(self) -> None:
        api.create(self.world, own_port=True, volume=True)
        self._create()
        self.world.run_all()

    def _any_of(self, found: collections.abc.Sequence):
        return self.random.choice(found) if found else None

    def _create(self):
        if len(self.world.rows()) >= MAX_SERVERS:
            return None
        return api.create(self.world, own_port=self.random.random() < 0.3, volume=self.random.random() < 0.4,
                          from_volume=self.random.random() < 0.2)

    def _server(self) -> str | None:
        return self._any_of(sorted(r["uuid"] for r in self.world.rows()))

    def _delete(self):
        uuid = self._server()
        if uuid:
            api.delete(self.world, uuid)
        return uuid

    def _operate(self):
        uuid = self._server()
        return next(filter(None, (self._ask(uuid) for _ in range(TRIES))), None) if uuid else None

    def _ask(self, uuid: str) -> str | None:
        """Ask for something, whatever it is; None: it was refused, as its user would hear."""
        chosen = self.random.choice(("power", "snapshot", "attach_volume", "attach_free_volume", "detach_volume", "extend_volume",
                                     "attach_interface", "attach_free_port", "detach_interface", "migrate", "resize", "confirm",
                                     "revert", "shelve", "offload", "unshelve", "rebuild_volume"))
        more = {"power": {"action": self.random.choice(POWER)}, "attach_interface": {"own_port": self.random.random() < 0.5}}
        try:
            getattr(api, chosen)(self.world, uuid, **more.get(chosen, {}))
        except errors.Error:
            return None
        return f"{chosen} {more.get(chosen, '')} {uuid}"

    def _step(self):
        actor = self._any_of([a for a in self.world.actors if not a.blocked])
        if actor is None:
            return None
        return f"{actor.name} on {actor.host}, {self._go_on(actor)}"

    def _go_on(self, actor) -> int:
        steps = self.random.choice((1, 2, 3, 5, 8, 13, 40))
        for _ in range(steps):
            if actor.ended or actor.blocked:
                break
            self.world.step(actor)
        return steps

    def _deliver(self, index: int = 0, **how):
        if not self.world.mail:
            return None
        message = self.world.mail[index]
        before = len(self.world.actors)
        self.world.deliver(index, **how)
        if len(self.world.actors) > before:
            self._go_on(self.world.actors[-1])
        return f"{message[:2]} {message[2][0] if message[0] != 'scheduler' else ''}"

    def _late(self):
        return self._deliver(self.random.randrange(len(self.world.mail) or 1))

    def _doubled(self):
        return self._deliver(self.random.randrange(len(self.world.mail) or 1), keep=True)

    def _again(self):
        """What an agent took a while ago comes once more: others were sent and done since."""
        message = self._any_of(self.world.delivered)
        if message is None or message[0] not in self.world.agents:
            return None
        self.world.mail.append(message)
        return self._deliver(len(self.world.mail) - 1)

    def _all(self):
        """All that was begun or sent is done."""
        self.world.run_all()
        return ""

    def _lost(self):
        return self.world.mail.pop(self.random.randrange(len(self.world.mail)))[:2] if self.world.mail else None

    def _crash(self):
        host = self._any_of(sorted(self.world.agents))
        if host:
            self.world.crash(host)
        return host

    def _power_cut(self):
        host = self.random.choice(HOSTS)
        self.world.cut_power(host)
        return host

    def _extensions(self):
        self.world.pass_of_extensions()
        return ""

    def _fail_over(self):
        """A conductor is killed in its pass; another goes on."""
        if not any(a.host == "" for a in self.world.actors):
            return None
        self.world.crash("")
        return ""

    def _restart(self):
        host = self._any_of([h for h in HOSTS if h not in self.world.agents])
        if host:
            self.world.boot_host(host)
        return host

    def _silence(self):
        host = self.random.choice(HOSTS)
        self.world.fall_silent(host)
        self.world.troubled = True
        return host

    def _speak(self):
        host = self._any_of(sorted(self.world.agents))
        if host:
            self.world.speak(host)
        return host

    def _outage(self):
        self.world.outages += [self.random.choice(("before", "after")) for _ in range(self.random.choice((1, 1, 2, 5)))]
        self.world.troubled = True
        return len(self.world.outages)

    def _resend(self):
        self.world.pass_of_sweep()
        self._go_on(self.world.actors[-1])
        return ""

    def _give_up(self):
        """A host that builds is not heard of for long, and the build goes to the other."""
        busy = {(a.host, a.subject) for a in self.world.actors}
        building = [r for r in self.world.rows() if r["vm_state"] == "building" and (
            (r["host"], r["uuid"]) in busy or r["host"] and r["host"] not in self.world.agents)]
        row = self._any_of(sorted(building, key=lambda r: r["uuid"]))
        if row is None:
            return None
        self.world.troubled = True
        self.world.fall_silent(row["host"])
        for host in set(HOSTS) - {row["host"]}:
            self.world.boot_host(host)
            self.world.speak(host)
        self.world.finish(self.world.pass_of_sweep())
        for address in ("scheduler", *(h for h in HOSTS if h != row["host"])):
            for index in [i for i, m in enumerate(self.world.mail) if m[:2] == (address, "build")][:1]:
                self.world.deliver(index)
        if self.world.actors:
            self._go_on(self.world.actors[-1])
        return f"{row['uuid']} on {row['host']}"

    def _evacuate(self):
        """An operator finds a host down. It may only be cut off, and is heard of again at any time."""
        row = self._any_of([r for r in self.world.rows() if r["host"]])
        if row is None:
            return None
        how = self.random.choice(("cut off", "agent killed", "dead"))
        if how == "dead":
            self.world.cut_power(row["host"])
        elif how == "agent killed":
            self.world.crash(row["host"])
        self.world.fall_silent(row["host"])
        self.world.troubled = True
        try:
            api.evacuate(self.world, row["uuid"])
            if row["task_state"]:  # whoever worked on it may have stopped its guest, or destroyed it
                self.world.given_up.add(row["uuid"])
                self.world.lost.add(row["uuid"])
        except errors.Error as error:
            return f"of {row['uuid']} from {row['host']}, {how}, is refused: {error}"
        return f"{row['uuid']} from {row['host']}, {how}"

    def _live(self):
        """An operator migrates a server while it runs, or aborts that."""
        uuid = self._server()
        if uuid is None:
            return None
        what = self.random.choice((api.migrate_live, api.migrate_live, api.abort_live))
        try:
            what(self.world, uuid)
        except errors.Error:
            return None
        return f"{what.__name__} {uuid}"

    def _operations(self):
        self.world.pass_of_operations()
        for actor in [a for a in self.world.actors if a.name.startswith("drive ")]:
            if not actor.blocked:
                self._go_on(actor)
        return ""

    def _conductor(self):
        return self.world.crash_conductor() or None

    def _recover(self):
        host = self._any_of(sorted(self.world.agents))
        if host:
            self.world.recover(host)
        return host

    def _orphans(self):
        host = self._any_of(sorted(self.world.agents))
        if host:
            self.world.run(self.world.agents[host].orphans.run_once, host=host, name="orphans")
        return host

    def _truncate(self):
        """A power cut that leaves half of a journal, of a host whose agent is down."""
        host = self._any_of([h for h in HOSTS if h not in self.world.agents])
        if host is None:
            return None
        journal = self.world.path / host / "tasks" / "compute"
        path = self._any_of(sorted(p for p in journal.glob("*.json") if p.name.startswith(TRUNCATED)))
        if path is not None:
            path.write_bytes(path.read_bytes()[:40])
        return path and path.name
