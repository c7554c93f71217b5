"""The volume daemons: API, scheduler, agent."""

import datetime
import logging
import pathlib

import sqlalchemy as sa

from common import context, db, errors, periodic, policy, rows, units
from common.service import Service
from common.tasks import Engine, Journal, Recovery
from common.workers import Workers
from volume import conf, drivers, policies
from volume.db import models, snapshots, volumes
from volume.exports import Exports
from volume.manager import CREATE, OTHER, Manager
from volume.rpcapi import AgentAPI, SchedulerAPI
from volume.secrets import sealed, vault_of
from volume.tasks.create import CreateVolume
from volume.tasks.delete import DeleteVolume
from volume.tasks.extend import ExtendVolume
from volume.tasks.reimage import ReimageVolume
from volume.tasks.snapshot import CreateSnapshot, DeleteSnapshot
from volume.tasks.upload import UploadVolume

LOG = logging.getLogger(__name__)
CREATES_AT_ONCE, OTHERS_AT_ONCE = 8, 8


class VolumeApi(Service):
    name, conf_name, db_name = "volume-api", "volume", "volume"
    api, default_port, opts = "volume", 8776, conf.OPTS

    def setup(self) -> None:
        self.policy = policy.Policy("volume", policies.RULES, self.conf)
        self.vault = vault_of(self.conf)
        self.scheduler, self.agents = SchedulerAPI(self.conf), AgentAPI(self.conf, lambda: volumes.rpc_versions(self.db))

    def send(self, work, *args) -> None:
        """Cast. If the bus is down, the row records the request, and the scheduler's reconciler sends it later."""
        try:
            work(*args)
        except errors.ServiceUnavailable as error:
            LOG.warning("a message could not be sent; the reconciler will send it: %s", error)


class PendingWorkReconciler(periodic.Periodic):
    """Resends requests whose message was lost: creations, deletions and extensions without progress.

    Every scheduler runs one. A stuck row is claimed by a compare-and-swap on ``resent_at``, so that only one scheduler resends
    it. The time since when it is stuck is unchanged, for the audit.
    """

    interval_s, most = 5.0, 200

    def __init__(self, service):
        self.service = service

    def run_once(self) -> None:
        v, s = volumes.TABLE, snapshots.TABLE
        for row in self._stuck(v, sa.select(v), ("creating", "deleting", "extending", "downloading", "uploading")):
            periodic.handle_row(row, f"volume {row['id']}", self._resend)
        for row in self._stuck(s, sa.select(s, v.c.host).join(v, v.c.id == s.c.volume_id), ("creating", "deleting")):
            periodic.handle_row(row, f"snapshot {row['id']}", self._resend_snapshot)

    def _stuck(self, table, query, statuses: tuple[str, ...]) -> list[dict]:
        """Rows that have been in these statuses for too long, longest first."""
        before = db.now() - datetime.timedelta(seconds=self.service.conf.volume.resend_after_s)
        turn = sa.func.coalesce(table.c.resent_at, table.c.updated_at)
        with self.service.db.reader() as connection:
            return rows.many(connection, query.where(
                table.c.status.in_(statuses), table.c.updated_at < before, turn < before).order_by(turn, table.c.id)
                .limit(self.most))

    def _take(self, table, row: dict) -> bool:
        """Claim the row. False: another scheduler has just claimed it, or it has made progress."""
        return self.service.db.transact(self._note, table, row)

    @staticmethod
    def _note(connection, table, row: dict) -> bool:
        as_read = table.c.resent_at.is_(None) if row["resent_at"] is None else table.c.resent_at == row["resent_at"]
        return connection.execute(sa.update(table).where(
            table.c.id == row["id"], table.c.status == row["status"], as_read).values(resent_at=db.now())).rowcount > 0

    def _resend(self, ctx, row: dict) -> None:
        agents, host = self.service.agents, row["host"]
        if not self._take(volumes.TABLE, row):
            return
        if host is None:
            self.service.place(ctx, row)
        elif row["status"] == "extending":
            agents.extend_volume(ctx, host, row["id"], row["extending_to"] or row["size"])
        elif row["status"] == "downloading":
            agents.reimage_volume(ctx, host, row["id"])
        elif row["status"] == "uploading":
            agents.upload_volume(ctx, host, row["id"])
        else:
            (agents.create_volume if row["status"] == "creating" else agents.delete_volume)(ctx, host, row["id"])

    def _resend_snapshot(self, ctx, row: dict) -> None:
        agents = self.service.agents
        if self._take(snapshots.TABLE, row):
            (agents.create_snapshot if row["status"] == "creating" else agents.delete_snapshot)(ctx, row["host"], row["id"])


class VolumeScheduler(Service):
    name, conf_name, db_name = "volume-scheduler", "volume", "volume"
    opts, interface = conf.OPTS, SchedulerAPI

    def setup(self) -> None:
        self.agents = AgentAPI(self.conf, lambda: volumes.rpc_versions(self.db))
        self.periodics.append(PendingWorkReconciler(self))

    def endpoint(self):
        return SchedulerManager(self)

    def place(self, ctx, row: dict) -> None:
        """Choose the backend with the most free space that the volume's type allows."""
        reason = self._choose_and_claim(row)
        if reason:
            self.db.transact(volumes.move, row["id"], "create_failed", fault=reason)
            return
        with self.db.reader() as connection:
            host = connection.execute(sa.select(volumes.TABLE.c.host).where(volumes.TABLE.c.id == row["id"])).scalar()
        self.agents.create_volume(ctx, host, row["id"])

    @units.unit
    def _choose_and_claim(self, row: dict) -> str | None:
        """Write the host into the row, or return the reason why there is none."""
        alive = db.now() - datetime.timedelta(seconds=self.conf.service_down_time)
        table, s = volumes.TABLE, models.services
        with self.db.writer() as connection:
            db.lock(connection, "placement")
            found = rows.many(connection, sa.select(s).where(s.c.binary == "cinder-volume"))
            promised = dict(connection.execute(sa.select(table.c.host, sa.func.sum(volumes.PROMISED_GB))
                                               .group_by(table.c.host)).all())
            source = self._source_host(connection, row)
            specs = connection.execute(sa.select(models.volume_types.c.extra_specs).where(
                models.volume_types.c.id == row["volume_type_id"])).scalar() or {}
            backend = specs.get("volume_backend_name")
            removed: dict[str, int] = {}
            fitting = []
            for svc in found:
                caps = svc["capabilities"]
                limit = caps.get("total_capacity_gb", 0) * self.conf.volume.max_over_subscription_ratio
                why = ("disabled" if svc["disabled"] else "down" if svc["updated_at"] < alive else
                       "not where the source is" if source not in (None, svc["host"]) else
                       "backend name" if backend not in (None, caps.get("volume_backend_name")) else
                       "capacity" if promised.get(svc["host"], 0) + row["size"] > limit else None)
                if why:
                    removed[why] = removed.get(why, 0) + 1
                else:
                    fitting.append(svc)
            if not fitting:
                detail = ", ".join(f"{n} {w}" for w, n in removed.items()) or "none is registered"
                return f"No backend can hold the volume ({len(found)} backends: {detail})."
            best = max(fitting, key=lambda v: (v["capabilities"].get("free_capacity_gb", 0), v["host"]))
            connection.execute(sa.update(table).where(table.c.id == row["id"], table.c.host.is_(None)).values(
                host=best["host"], updated_at=db.now()))
        return None


    @staticmethod
    def _source_host(connection, row: dict) -> str | None:
        """The host of the volume's source, or None if it has no source."""
        v, s = volumes.TABLE, snapshots.TABLE
        if row["snapshot_id"]:
            return connection.execute(sa.select(v.c.host).join(s, s.c.volume_id == v.c.id).where(
                s.c.id == row["snapshot_id"])).scalar()
        if row["source_volid"]:
            return connection.execute(sa.select(v.c.host).where(v.c.id == row["source_volid"])).scalar()
        return None


class SchedulerManager:
    """The RPC methods of the volume scheduler."""

    def __init__(self, scheduler: VolumeScheduler):
        self.scheduler = scheduler

    def create_volume(self, ctx, volume_id: str) -> None:
        with self.scheduler.db.reader() as connection:
            row = rows.one(connection, sa.select(volumes.TABLE).where(volumes.TABLE.c.id == volume_id))
        if row and row["status"] == "creating" and row["host"] is None:
            self.scheduler.place(ctx, row)


class Heartbeat(periodic.Heartbeat):
    def __init__(self, service):
        super().__init__(float(service.conf.report_interval))
        self.service = service

    def beat(self) -> None:
        capabilities = {**self.service.driver.capacity(), "volume_backend_name": self.service.conf.volume.backend_name}
        self.service.db.transact(volumes.heartbeat, "cinder-volume", self.service.conf.host, capabilities, AgentAPI.version)


class OldSecrets(periodic.Periodic):
    """Encrypt, once after the start, the secrets that an older version stored in plain text."""

    interval_s = 60.0

    def __init__(self, service):
        self.service, self.done = service, False

    def run_once(self) -> None:
        if not self.done:
            self.service.db.transact(volumes.seal_stored, lambda info: sealed(self.service.vault, info))
            self.done = True


class VolumeAgent(Service):
    name, conf_name, db_name = "volume-agent", "volume", "volume"
    opts, interface = conf.OPTS, AgentAPI

    def setup(self) -> None:
        self.driver, self.vault = drivers.load(self.conf), vault_of(self.conf)
        self.exports = Exports(self)
        # Images that are being copied to volumes; after a crash they are downloaded again.
        self.incoming = pathlib.Path(self.conf.state_path) / "volume-images"
        # Volumes that are being copied to images; after a crash the copies are removed.
        self.outgoing = pathlib.Path(self.conf.state_path) / "volume-uploads"
        for directory in (self.incoming, self.outgoing):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.tasks = Engine(Journal(f"{self.conf.state_path}/tasks/volume"))
        # Copies from and to images take longest; a worker pool of their own, so that nothing else waits for them.
        self.workers = Workers(self.name, {CREATE: CREATES_AT_ONCE, OTHER: OTHERS_AT_ONCE}, kept={CREATE: 2, OTHER: 2})
        self.periodics += [Heartbeat(self), self.exports, Recovery(self.tasks, self.make_task), OldSecrets(self)]

    def endpoint(self):
        return Manager(self)

    def busy(self) -> bool:
        return self.tasks.running() > 0

    def notify(self, event_type: str, row: dict) -> None:
        self.notifier.notify(context.active() or context.service_context(), event_type, volumes.notification_payload(row))

    def make_task(self, name: str):
        tasks = (CreateVolume, DeleteVolume, ExtendVolume, ReimageVolume, CreateSnapshot, DeleteSnapshot, UploadVolume)
        return {t.name: t for t in tasks}[name](self)
