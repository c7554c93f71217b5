"""What is left of a server on a host that it is not on any more, removed or destroyed when that host can."""

from common import errors, server_resources
from conductor.db import allocations, hosts, operations, resizes, server_migrations
from conductor.operations import Job, Operation, Wait


class Remove(Operation):
    """Where an operator reset the server's state in the middle of a move, the host has ports and attachments of it, too."""

    kind = resizes.REMOVE
    of_attempt = False
    steps = ("rebind", "remove", "disconnect")
    host_steps = {"remove": "remove"}

    def is_current(self, job: Job) -> bool:
        """Not where the server came to that host again. The host asks too, before it begins: a message that waited for long
        would remove what came there since."""
        host = job.data["host"]
        with job.service.db.reader() as connection:
            return host not in allocations.hosts_of(connection, job.uuid) or self._is_being_left(connection, job.uuid, host)

    @staticmethod
    def _is_being_left(connection, uuid: str, host: str) -> bool:
        """A migration to there is being undone: the host's part is given back last."""
        return any(o["kind"] == resizes.MIGRATE and o["phase"] == operations.UNDO and o["data"].get("target") == host
                   for o in operations.of_server(connection, uuid))

    def _check(self, job: Job) -> None:
        """After something was read, before it is changed. :raises Superseded: the server has come to the host since"""
        if not self.is_current(job):
            raise errors.Superseded()

    def rebind(self, job: Job) -> None:
        """Ports that the host has bound go back to the server's own, first: the host may never answer again. One that is late
        to bind a port finds it changed."""
        if job.instance is None or job.instance["host"] in (None, job.data["host"]):
            return
        found = [p for p in server_resources.ports_of(job.service.rest, job.uuid) if p["binding:host_id"] == job.data["host"]]
        if found:
            self._check(job)
        for port in found:
            try:
                server_resources.bind_port(job.service.rest, port, job.instance["host"])
            except errors.PreconditionFailed as error:
                raise errors.Superseded() from error

    def remove(self, job: Job) -> Wait | None:
        """A host that is no more has nothing."""
        with job.service.db.reader() as connection:
            known = hosts.is_known(connection, job.data["host"])
        return job.ask(job.data["host"]) if known else None

    def disconnect(self, job: Job) -> None:
        """Last: by now the host does nothing that it was asked for before, so it makes no attachment any more."""
        found = server_resources.attachments_of(job.service.rest, job.uuid, attached_host=job.data["host"])
        if found:
            self._check(job)
        for each in found:
            server_resources.end_attachment(job.service.rest, each)


class Destroy(Operation):
    """A guest that a revert may have started before its host went down, while the server stays where it was. The disk is kept:
    the server may still be reverted."""

    kind = resizes.DESTROY
    of_attempt = False
    steps = ("destroy",)
    host_steps = {"destroy": "destroy"}

    def is_current(self, job: Job) -> bool:
        """While the revert is being undone and the server waits on the other host: no other revert begins meanwhile, and what
        ends the wait removes all."""
        with job.service.db.reader() as connection:
            migration = server_migrations.get(connection, job.data["migration"])
            return (migration is not None and migration["status"] in (
                server_migrations.REVERTING, server_migrations.FINISHED)
                    and hosts.is_known(connection, job.data["host"]))

    def destroy(self, job: Job) -> Wait:
        return job.ask(job.data["host"])
