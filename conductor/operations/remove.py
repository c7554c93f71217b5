"""What is left of a server on a host that it is not on any more, removed when that host can."""

from conductor.db import allocations, hosts, operations, resizes
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
