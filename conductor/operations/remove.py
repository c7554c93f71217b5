"""Removal of what a host still has of a server's past, once that host is up."""

from common import errors, server_resources
from conductor.db import allocations, evacuations, hosts, instances, live_migrations, operations, resizes, server_migrations
from conductor.operations import Job, Operation, Wait


class Remove(Operation):
    """Also deletes the ports and attachments on that host, which exist if an operator reset the server's state during a
    migration. After an evacuation it also completes the migration.
    """

    kind = resizes.REMOVE
    of_attempt = False
    steps = ("rebind", "remove", "disconnect")
    host_steps = {"remove": "remove"}

    def is_current(self, job: Job) -> bool:
        """False if the server has returned to that host. The host checks too before it begins, because a delayed message would
        remove what was created since.
        """
        host = job.data["host"]
        with job.service.db.reader() as connection:
            return host not in allocations.hosts_of(connection, job.uuid) or self._is_migration_undone(connection, job.uuid, host)

    @staticmethod
    def _is_migration_undone(connection, uuid: str, host: str) -> bool:
        """A migration or evacuation to that host is being undone; the allocation there is released last."""
        kinds = (resizes.MIGRATE, live_migrations.KIND, evacuations.EVACUATE)
        return any(o["kind"] in kinds and o["phase"] == operations.UNDO and o["data"].get("target") == host
                   for o in operations.of_server(connection, uuid))

    def _check(self, job: Job) -> None:
        """To be called after reading something and before changing it. :raises Superseded: the server has returned to the host"""
        if not self.is_current(job):
            raise errors.Superseded()

    @staticmethod
    def _known(job: Job, ports: list[dict]) -> list[dict]:
        """Those of the ports that the server knows of."""
        if not ports:
            return []
        with job.service.db.reader() as connection:
            row = instances.find(connection, job.uuid)
        known = {p["id"] for p in row["network_info"]} if row else set()
        return [p for p in ports if p["id"] in known]

    def rebind(self, job: Job) -> None:
        """Bind the host's ports to the server's own host again, first: the other host may never respond. If it binds a port late,
        it finds that the port has changed. A port that the server does not know of is left to the host, which was interrupted.
        """
        if job.instance is None or job.instance["host"] in (None, job.data["host"]):
            return
        server_resources.stay_ports(job.service.rest, job.uuid, job.data["host"], check=lambda: self._check(job))
        found = [p for p in server_resources.ports_of(job.service.rest, job.uuid) if p["binding:host_id"] == job.data["host"]]
        if found:
            self._check(job)
        for port in self._known(job, found):
            try:
                server_resources.bind_port(job.service.rest, port, job.instance["host"])
            except errors.PreconditionFailed as error:
                raise errors.Superseded() from error

    def remove(self, job: Job) -> Wait | None:
        """Nothing to do if the host was deleted."""
        with job.service.db.reader() as connection:
            known = hosts.is_known(connection, job.data["host"])
        return job.ask(job.data["host"]) if known else None

    def disconnect(self, job: Job) -> None:
        """Last, because the host then has no earlier request left to execute, and creates no more attachments."""
        found = server_resources.attachments_of(job.service.rest, job.uuid, attached_host=job.data["host"])
        if found:
            self._check(job)
        for each in found:
            server_resources.end_attachment(job.service.rest, each)
        with job.service.db.reader() as connection:
            known, row = hosts.is_known(connection, job.data["host"]), instances.find(connection, job.uuid)
        if row is not None and not known:
            self._release_unknown(job, row)

    def _release_unknown(self, job: Job, row: dict) -> None:
        """Release the ports that the host was attaching when it went down, since it was deleted and will not do so."""
        server = {p["id"] for p in row["network_info"]}
        for port in server_resources.ports_of(job.service.rest, job.uuid):
            if port["binding:host_id"] == job.data["host"] and port["id"] not in server:
                self._check(job)
                keep = server_resources.is_preexisting(port, server_resources.preexisting_ports(row))
                try:
                    server_resources.release_port(job.service.rest, port["id"], keep=keep, as_read=port)
                except errors.PreconditionFailed as error:
                    raise errors.Superseded() from error

    def finished(self, connection, job: Job) -> None:
        if "migration" in job.data:
            server_migrations.complete(connection, job.data["migration"])

    def superseded(self, connection, job: Job) -> None:
        """The server has returned to the host, which begins with what it finds there."""
        self.finished(connection, job)


class Destroy(Operation):
    """Destroys a guest that a failed revert may have started before its host went down. The disk is kept for another revert."""

    kind = resizes.DESTROY
    of_attempt = False
    steps = ("destroy",)
    host_steps = {"destroy": "destroy"}

    def is_current(self, job: Job) -> bool:
        """While the revert is being undone and the server waits on the other host: no other revert can begin, and whatever ends
        the wait removes everything.
        """
        with job.service.db.reader() as connection:
            migration = server_migrations.get(connection, job.data["migration"])
            return (migration is not None and migration["status"] in (
                server_migrations.REVERTING, server_migrations.FINISHED)
                    and hosts.is_known(connection, job.data["host"]))

    def destroy(self, job: Job) -> Wait:
        return job.ask(job.data["host"])


class RemoveKeptDisks(Operation):
    """Removes what a host has kept of a server's disks for the revert of a resize there that has ended meanwhile."""

    kind = resizes.REMOVE_KEPT
    of_attempt = False
    steps = ("remove",)
    host_steps = {"remove": "remove_kept"}

    def is_current(self, job: Job) -> bool:
        """False if another resize may have kept disks there since: it removes the former ones itself. An evacuation may fail."""
        if job.instance is None or job.instance["host"] != job.data["host"]:
            return False
        with job.service.db.reader() as connection:
            migration = server_migrations.open_of(connection, job.uuid)
            return (migration is None or migration["type"] == "evacuation") and hosts.is_known(connection, job.data["host"])

    def remove(self, job: Job) -> Wait:
        return job.ask(job.data["host"])
