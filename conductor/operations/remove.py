"""What is left of a server on a host that it is not on any more, removed or destroyed when that host can."""

from conductor.db import allocations, hosts, operations, resizes, server_migrations
from conductor.operations import Job, Operation, Wait


class Remove(Operation):
    kind = resizes.REMOVE
    steps = ("remove",)
    host_steps = {"remove": "remove"}

    def is_current(self, job: Job) -> bool:
        """Not where the server came to that host again, or the host is no more. The host asks too, before it begins: a message
        that waited for long would remove what came there since."""
        host = job.data["host"]
        with job.service.db.reader() as connection:
            held = host in allocations.hosts_of(connection, job.uuid) and not self._is_being_left(connection, job.uuid, host)
            return hosts.is_known(connection, host) and not held

    @staticmethod
    def _is_being_left(connection, uuid: str, host: str) -> bool:
        """A migration to there is being undone: the host's part is given back last."""
        return any(o["kind"] == resizes.MIGRATE and o["phase"] == operations.UNDO and o["data"].get("target") == host
                   for o in operations.of_server(connection, uuid))

    def remove(self, job: Job) -> Wait:
        return job.ask(job.data["host"])


class Destroy(Operation):
    """A guest that a revert may have started before its host went down, while the server stays where it was. The disk is kept:
    the server may still be reverted."""

    kind = resizes.DESTROY
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
