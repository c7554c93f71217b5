"""What is left of a server on a host that it is not on any more, removed when that host can."""

from conductor.db import allocations, hosts, resizes
from conductor.operations import Job, Operation, Wait


class Remove(Operation):
    kind = resizes.REMOVE
    steps = ("remove",)
    host_steps = {"remove": "remove"}

    def is_current(self, job: Job) -> bool:
        return True

    def remove(self, job: Job) -> Wait | None:
        """Nothing where the server came to that host again, or the host is no more."""
        host = job.data["host"]
        with job.service.db.reader() as connection:
            known = hosts.is_known(connection, host)
            held = host in allocations.hosts_of(connection, job.uuid)
        return job.ask(host) if known and not held else None
