"""A controller and two compute hosts: the project's own conductor, scheduler, agents, tasks and fake driver, on a database in
memory. The bus and the other services stand in; whatever goes over them can fail, be late, be lost or come twice.
"""

import contextlib
import datetime
import logging
import os
import pathlib
import shutil
import threading
import time
import types
import unittest.mock

import sqlalchemy as sa

from common import conf as conf_module
from common import context, db, errors, images, server_states, shared_work, units
from common.db import Database
from common.tasks import Engine as TaskEngine
from common.tasks import Journal
from compute_agent import conf as agent_conf
from compute_agent import live, migration, resume, transfer
from compute_agent import volumes as agent_volumes
from compute_agent.fence import Fence
from compute_agent.operations import Operations
from compute_agent.orphans import OrphanReconciler
from compute_agent.ports import Ports
from compute_agent.powersync import PowerSync
from compute_agent.resume import GuestResume
from compute_agent.service import ComputeAgent
from compute_agent.virt.fake import FakeDriver
from compute_agent.volumes import Volumes
from conductor import conf as conductor_conf
from conductor.db import instances, models, operations
from conductor.manager import Manager as ConductorManager
from conductor.operations import Engine
from conductor.operations.kinds import KINDS
from conductor.pending_work import PendingWorkReconciler, local_delete
from conductor.rpcapi import ConductorAPI
from scheduler import shelved, targets
from scheduler.placement import Placement
from scheduler.rpcapi import request_spec
from scheduler.service import Manager as SchedulerManager
from tests.bus import Direct
from tests.histories.actors import Actor, Lock, forget, point, start
from tests.histories.services import Services

HOSTS = ("node1", "node2")
CHANGES = frozenset(("prepare_disk", "spawn", "destroy", "remove_files", "power_on", "power_off", "reboot", "pause", "unpause",
                     "attach_volume", "detach_volume", "attach_interface", "detach_interface", "snapshot",
                     "begin_import", "import_disks", "keep_disks", "resize_disks", "restore_disks", "unrestore_disks",
                     "drop_kept_disks", "prepare_incoming", "migrate", "arrived"))


class Stand:
    """Stands before an object: its methods' effects come between two points, and may be told to fail."""

    def __init__(self, world, part: str, target, names=None):
        self._world, self._part, self._target, self._names = world, part, target, names

    def __getattr__(self, name):
        found = getattr(self._target, name)
        if not callable(found) or (self._names is not None and name not in self._names):
            return found

        def called(*args, **kwargs):
            what = f"{args[0]} {args[2].split('?')[0].split('/')[2]}" if name == "request" else name
            point(what)
            away = self._world.away(self._part)
            if away == "before":
                raise errors.ServiceUnavailable(part=self._part)
            answer = units.run(found, *args, **kwargs)
            point(f"{what} done")
            if away == "after":
                raise errors.ServiceUnavailable(part=self._part)
            return answer
        return called


class SimulatedAgent(ComputeAgent):
    """The compute agent without a process of its own."""

    def __init__(self, world, host: str, conf):
        self._world, self.conf, self.rest = world, conf, Stand(world, "services", world.services)
        driver = FakeDriver(conf)
        self.driver = Stand(world, "hypervisor", driver, CHANGES)
        self.conductor = Stand(world, "conductor", Direct(ConductorAPI, world.conductor))
        self.ports = Ports(self.rest, host)
        self.volumes = Volumes(self.rest, {"host": host, "initiator": host}, driver.vault)
        self.peers, self.incomings = Peers(world), Incomings()
        self.migrating = threading.BoundedSemaphore(1)
        self.outgoing = pathlib.Path(conf.state_path) / "snapshots"
        self.outgoing.mkdir(exist_ok=True, parents=True)
        self.tasks = TaskEngine(Journal(f"{conf.state_path}/tasks/compute"))
        self.last_steps: dict = {}
        self.resuming, self.guests_known, self.stop_event = set(), threading.Event(), Stop()
        self.fence = Fence(self)
        self.heartbeat = Told(driver)
        self.orphans = OrphanReconciler(self)
        self._server_locks: dict[str, Lock] = {}

    def lock(self, uuid):
        return self._server_locks.setdefault(uuid, Lock())

    def cancelled(self, uuid):
        return any(a.host == self.conf.host and a.name == f"delete {uuid}" for a in self._world.actors)


class Told:
    """In place of heartbeats: whatever guests there are has been told."""

    def __init__(self, driver: FakeDriver):
        self._driver = driver

    @property
    def reported(self) -> dict[str, int]:
        return self._driver.power_states()


class Mistakes(logging.Handler):
    """Exceptions that nobody expected: whoever meets one logs it and goes on, as if a part had failed."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.found: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, errors.Error):
            self.found.append(error)


class Stop:
    """In place of the event that ends an agent: who waits for it is told to go on."""

    def is_set(self) -> bool:
        return False

    def wait(self, timeout_s: float) -> None:
        point("wait")


class OneByOne:
    """In place of a pool of threads."""

    def __init__(self, *args, **kwargs):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    map = staticmethod(map)


class Peers:
    """In place of the other agents' ``rpcapi``: a call, which needs an agent that runs."""

    def __init__(self, world):
        self._world = world

    def _call(self, name: str, answer, ctx, host: str, *args):
        point(name)
        if host not in self._world.agents:
            raise errors.ServiceUnavailable(part=host)
        return answer(self._world.agents[host], ctx, *args)

    def offer_disks(self, *args):
        return self._call("offer_disks", migration.offer_disks, *args)

    def open_migration(self, *args):
        return self._call("open_migration", live.open_migration, *args)

    def guest_arrived(self, *args):
        return self._call("guest_arrived", live.arrived, *args)

    def guest_expected(self, ctx, host: str, *args) -> None:
        """A cast."""
        point("guest_expected")
        self._world.mail.append((host, "guest_expected", args))

    def guest_moved(self, ctx, host: str, uuid: str, operation_id: str, number: int, timeout_s: float):
        here, work = self._call("guest_moved", live.moved, ctx, host, uuid, operation_id, number)
        if work:
            operations = Operations(self._world.agents[host])
            self._world.run(lambda: operations.operation_step(ctx, uuid, operation_id, work["number"], work), host=host,
                            subject=uuid, name=f"operation_step {uuid}")
        return here


class Targets:
    """In place of the scheduler's ``rpcapi``."""

    def __init__(self, placement: Placement):
        self._placement = placement

    def claim_target(self, ctx, uuid, attempt, migration_id, requested_host, force=False):
        return targets.claim(self._placement, uuid, attempt, migration_id, requested_host, force=force)

    def claim_host(self, ctx, *args):
        return shelved.claim(self._placement, *args)


class Incomings:
    """In place of a target's TLS ports, which are tested by themselves."""

    @staticmethod
    def open(uuid: str, channels) -> dict:
        return channels

    def close(self, uuid: str) -> None:
        """There is none."""


class DirectTunnel(contextlib.nullcontext):
    def __init__(self, channels: dict):
        super().__init__(self)
        self._channels = channels

    @staticmethod
    def is_open() -> bool:
        return True

    def connect(self, channel: str):
        return self._channels[channel].connect()


class OwnThread:
    """In place of work that somebody waits for: an actor does it himself."""

    def check(self) -> None:
        """He waits."""

    @staticmethod
    def reading(shut):
        return contextlib.nullcontext()


class CopiedOffer:
    """In place of a disk's way over the network, which is tested by itself."""

    def __init__(self, address: str, files: dict[str, str]):
        self.described = {"files": files}


def copy_offered(offer: dict, name: str, target, max_bytes: int, work) -> None:
    point("fetch")
    assert os.path.getsize(offer["files"][name]) <= max_bytes
    shutil.copy(offer["files"][name], target)


class Mail:
    """In place of a ``rpcapi``: casts wait until they are delivered."""

    def __init__(self, world):
        self._world = world

    def __getattr__(self, method):
        def cast(ctx, host, *args):
            self._world.mail.append((host, method, args))
        return cast


class World:
    def __init__(self, path: pathlib.Path, database: Database, confs: dict):
        self.path, self.db, self.confs = path, database, confs
        self._rows: list[dict] | None = None
        database.after_write[:] = [self._written]
        self.services = Services()
        self.mail: list[tuple] = []
        self.delivered: list[tuple] = []  # the last of them that agents took
        self.actors: list[Actor] = []
        self.agents: dict[str, SimulatedAgent] = {}
        self.outages: list[str] = []  # one "before" or "after" for each call that is to fail
        self.mistakes = Mistakes()
        self.lost: set[str] = set()  # servers whose guests a power cut took away
        self.given_up: set[str] = set()  # servers of which an evacuation ended what may have changed their guests' power state
        self.troubled = False  # whether anything happened for which a build may fail in the end
        service = types.SimpleNamespace(
            db=database, conf=types.SimpleNamespace(
                # Whatever is not at rest is old enough to be sent again.
                compute=types.SimpleNamespace(build_resend_s=-1, max_attempts=3, default_availability_zone="nova"),
                service_down_time=60, host="controller"), rest=Stand(self, "services", self.services), agents=Mail(self),
            notifier=types.SimpleNamespace(on=False, notify=lambda *a, **k: None, changed=lambda *a: None))
        service.schedule = lambda ctx, row: self.mail.append(("scheduler", "build", ([request_spec(row)],)))
        service.local_delete = lambda ctx, uuid: local_delete(service, ctx, uuid)
        service.endpoint = lambda: self.conductor
        service.notify = lambda *a, **k: None
        service.conf.compute.shelved_offload_time = 0
        service.scheduler = Stand(self, "scheduler", Targets(Placement(confs["controller"], database)))
        service.operations = self.operations = Engine(service, [kind() for kind in KINDS])
        self.operations.wake = self.wake
        self.conductor, self.reconciler = ConductorManager(service), PendingWorkReconciler(service)
        self.conductor.heartbeats.interval_s = 0
        self.scheduler = SchedulerManager(types.SimpleNamespace(placement=Placement(confs["controller"], database),
                                                                agents=Mail(self)))

    # what hosts do

    def away(self, part: str) -> str | None:
        """Whether the call that is made now is to fail; the hypervisor never does."""
        return self.outages.pop() if self.outages and part != "hypervisor" else None

    def boot_host(self, host: str) -> None:
        """Start its agent, which takes up what its predecessor left."""
        if host in self.agents:
            return
        agent = self.agents[host] = SimulatedAgent(self, host, self.confs[host])
        self.speak(host)
        resume = self.run(GuestResume(agent).run, host=host, name="resume guests")
        if not self.lost:
            self.finish(resume)
        self.recover(host)

    def recover(self, host: str) -> None:
        agent = self.agents[host]
        for key in agent.tasks.pending():
            if not any(a.name == f"recover {key}" and a.host == host for a in self.actors):
                self.run(lambda key=key: agent.tasks.recover_one(key, agent.make_task), host=host, name=f"recover {key}")

    def crash(self, host: str) -> None:
        """``kill -9`` of its agent; guests run on."""
        self.agents.pop(host, None)
        for actor in [a for a in self.actors if a.host == host]:
            actor.kill()
        self._bury()

    def cut_power(self, host: str) -> None:
        """The host goes down with its agent and its guests, and is not up again yet."""
        self.crash(host)
        for uuid, power in self.guests(host).items():
            if power != server_states.SHUTDOWN:
                FakeDriver(self.confs[host]).destroy(uuid)
                self.lost.add(uuid)
        marker = self.path / host / "instances" / "generation"
        marker.write_text(context.new_uuid())

    def speak(self, host: str) -> None:
        resources = FakeDriver(self.confs[host]).host_resources()
        self.conductor.heartbeat(context.service_context(), host, resources, {})

    def fall_silent(self, host: str) -> None:
        """It is not heard of any more, whether it works or not."""
        with self.db.writer() as connection:
            connection.execute(sa.update(models.services).where(models.services.c.host == host).values(
                updated_at=db.now() - datetime.timedelta(hours=1)))

    # what goes over the bus

    def deliver(self, index: int = 0, *, keep: bool = False) -> Actor | None:
        """Give one of the waiting messages to who it is for; ``keep``: it will come again. The work that begins with it."""
        host, method, args = message = self.mail[index] if keep else self.mail.pop(index)
        if host in self.agents:
            self.delivered = [*self.delivered[-9:], message]
        if host == "scheduler":
            with contextlib.suppress(errors.ServiceUnavailable):
                self.scheduler.build(context.service_context(), *args)
        elif host in self.agents:
            operations, uuid = Operations(self.agents[host]), args[0]
            return self.run(lambda: getattr(operations, method)(context.service_context(), *args), host=host, subject=uuid,
                            name=f"{method} {uuid}")
        elif not keep:
            self.mail.append((host, method, args))  # its queue keeps it
        return None

    def wake(self, operation_id: str) -> None:
        """Have a conductor drive an operation, unless one does."""
        name = f"drive {operation_id}"
        if not any(a.name == name for a in self.actors):
            self.run(lambda: self.operations.run(operation_id), name=name)

    def pass_of_operations(self) -> None:
        """Whatever nobody drives is due, and the lease of a conductor that was killed has run out."""
        driven = [a.name.rpartition(" ")[2] for a in self.actors if a.name.startswith("drive ")]
        past, table = db.now() - datetime.timedelta(hours=1), models.operations
        with self.db.writer() as connection:
            left = connection.execute(sa.select(table.c.id).where(table.c.id.not_in(driven))).scalars().all()
            connection.execute(sa.update(table).where(table.c.id.in_(left)).values(
                due_at=past, lease_holder=None, lease_until=None))
        for operation_id in left:
            self.wake(operation_id)

    def age_operations(self) -> None:
        """Their steps have waited for longer than those that may be undone wait for a service."""
        with self.db.writer() as connection:
            connection.execute(sa.update(models.operations).values(step_at=db.now() - datetime.timedelta(hours=1)))

    def crash_conductor(self) -> str:
        """``kill -9`` of a conductor that drives an operation; another is there."""
        for actor in [a for a in self.actors if a.name.startswith("drive ")][:1]:
            actor.kill()
            self._bury()
            return actor.name
        return ""

    def pass_of_sweep(self) -> Actor:
        return self.run(self.reconciler.run_once, name="reconciler")

    # how it goes on

    def run(self, work, **named) -> Actor:
        def with_context():
            context.activate(context.service_context())
            work()
        actor = start(with_context, **named)
        self.actors.append(actor)
        return actor

    def step(self, actor: Actor) -> None:
        actor.step()
        self._bury()

    def _bury(self) -> None:
        for actor in [a for a in self.actors if a.ended]:
            self.actors.remove(actor)
            forget(actor)
            if isinstance(actor.error, (AssertionError, AttributeError, NameError)):  # a mistake in the code, not an accident
                raise actor.error

    def go_to(self, actor: Actor, name: str) -> Actor:
        """Let it go on until it is at a point: before a call of this name, or after it ("<name> done")."""
        for _ in range(200):
            self.step(actor)
            if actor.at == name:
                return actor
        raise AssertionError(f"{actor.name} does not come to {name}")

    def finish(self, actor: Actor) -> None:
        """Let it, and whom it waits for, go on to the end."""
        for _ in range(2000):
            if actor.ended:
                return
            self.step(next(a for a in [actor, *self.actors] if not a.blocked))
        raise AssertionError(f"{actor.name} does not end")

    def run_all(self) -> None:
        """Until nobody has anything to do that was begun or sent."""
        for _ in range(10000):
            free = [a for a in self.actors if not a.blocked]
            if free:
                self.step(free[0])
            elif self.actors:
                raise AssertionError("deadlock of " + ", ".join(a.name for a in self.actors))
            elif any(host in self.agents or host == "scheduler" for host, *_ in self.mail):
                self.deliver(next(i for i, (host, *_) in enumerate(self.mail) if host in self.agents or host == "scheduler"))
            else:
                return
        raise AssertionError("it goes on and on: " + ", ".join(a.name for a in self.actors))

    def settle(self) -> None:
        """Everything answers again, and all is done that anybody is reminded of."""
        self.outages.clear()
        for host in HOSTS:
            self.boot_host(host)
            self.speak(host)
        for _ in range(12):
            self.run_all()
            if self.is_settled():
                break
            for host in HOSTS:
                self.recover(host)
            self.run_all()
            self.pass_of_sweep()
            self.pass_of_operations()
            self.pass_of_extensions()
            self.run_all()
        for host in HOSTS:
            self.run(self.agents[host].orphans.run_once, host=host, name="orphans")
            if self.lost or self.given_up:
                self.run(PowerSync(self.agents[host], self.agents[host].heartbeat).compare, host=host, name="power sync")
        self.run_all()
        self.given_up.clear()

    def pass_of_extensions(self) -> None:
        """The volume service asks again for what its volumes' servers have not confirmed."""
        for volume in [v for v in self.services.volumes.values() if v["status"] == "extending"]:
            server = next((a["instance"] for a in self.services.attachments.values() if a["volume_id"] == volume["id"]), None)
            row = self.row(server) if server else None
            if row is not None and row["host"]:
                self.mail.append((row["host"], "extend_volume", (server, volume["id"])))
            else:
                volume["status"] = "in-use" if server else "available"

    def is_settled(self) -> bool:
        if self.mail or any(v["status"] == "extending" for v in self.services.volumes.values()):
            return False
        return not any(self.agents[h].tasks.pending() for h in self.agents) and not any(
            r["task_state"] or any(d["requested_action"] for d in r["block_devices"])
            for r in self.rows()) and not self.operations_left()

    def operations_left(self) -> list[dict]:
        with self.db.reader() as connection:
            return operations.list_all(connection)

    def rows(self) -> list[dict]:
        """All servers, with their devices, by their ids."""
        if self._rows is None:
            self._rows = self._read()
        return self._rows

    def _written(self) -> None:
        self._rows = None

    def _read(self) -> list[dict]:
        with self.db.reader() as connection:
            found = connection.execute(sa.select(models.instances).order_by(models.instances.c.uuid)).mappings().all()
            return instances.add_block_devices(connection, [dict(r) for r in found])

    def row(self, uuid: str) -> dict | None:
        return self.conductor.get_instance(None, uuid)

    def guests(self, host: str) -> dict[str, int]:
        return FakeDriver(self.confs[host]).power_states()

    def guest(self, host: str, uuid: str) -> dict:
        return FakeDriver(self.confs[host])._read(uuid)

    def disk(self, host: str, uuid: str) -> str:
        return FakeDriver(self.confs[host])._disk(uuid).read_text()


class Place:
    """Where worlds are made, one after the other: what is slow to make is made once."""

    def __init__(self, path: pathlib.Path):
        self.path = path
        with unittest.mock.patch.object(db, "QUERIES", 2000):  # of all daemons in one: none is compiled twice
            self.db = Database("compute", f"sqlite:///{path}/compute.sqlite")
        models.METADATA.create_all(self.db.engine)
        self.confs = {"controller": conf_module.load("compute", conductor_conf.OPTS, str(path), {"scheduler.host_cache_s": 0.0})}
        for host in HOSTS:
            self.confs[host] = conf_module.load("compute-agent", agent_conf.OPTS, str(path / host), {
                "agent.virt_driver": "fake", "host": host, "cloud_id": "cloud", "agent.build_retry_s": 0,
                "resume_guests_state_on_host_boot": host == HOSTS[0]})

    @contextlib.contextmanager
    def world(self):
        """An empty world, with both hosts up."""
        with self.db.writer() as connection:
            for table in reversed(models.METADATA.sorted_tables):
                connection.execute(table.delete())
        for host in HOSTS:
            for name in ("instances", "tasks", "snapshots"):
                shutil.rmtree(self.path / host / name, ignore_errors=True)
            (self.path / host / "compute-hypervisor").unlink(missing_ok=True)
        made = World(self.path, self.db, self.confs)
        logging.getLogger().addHandler(made.mistakes)
        with unittest.mock.patch.object(images, "send", lambda rest, image_id, source, work: rest.send_image(image_id)), \
                unittest.mock.patch.object(shared_work, "attended", lambda work, hurry: work(OwnThread())), \
                unittest.mock.patch.object(images, "drop", lambda rest, image_id, timeout_s=0: rest.images.pop(image_id, None)), \
                unittest.mock.patch.object(resume.concurrent.futures, "ThreadPoolExecutor", OneByOne), \
                unittest.mock.patch.object(agent_volumes, "time", types.SimpleNamespace(
                    monotonic=time.monotonic, sleep=lambda s: None)), \
                unittest.mock.patch.object(transfer, "Offer", CopiedOffer), \
                unittest.mock.patch.object(transfer, "fetch", copy_offered), \
                unittest.mock.patch.object(live, "Tunnel", DirectTunnel):
            for host in HOSTS:
                made.boot_host(host)
            try:
                yield made
            finally:
                logging.getLogger().removeHandler(made.mistakes)
                for actor in made.actors:
                    actor.kill()
                made._bury()
