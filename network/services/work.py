"""One transaction for a caller, and what must follow its commit."""

import dataclasses
import typing

from common.calls import Call
from network.db.changes import Changes


@dataclasses.dataclass(frozen=True)
class Work(Call):
    """What functions are given that read or change rows for a caller: its call, and the open transaction.

    They note here what must be done after the commit. A transaction that is run again has a new ``Work``, so nothing is done
    for an attempt that was rolled back.
    """

    connection: typing.Any = None
    changes: Changes = dataclasses.field(default_factory=Changes)  # what agents of hosts must hear of
    plugged: set[str] = dataclasses.field(default_factory=set)  # those of them that are called after the commit
    readdressed: set[str] = dataclasses.field(default_factory=set)  # ids of ports whose servers have other addresses

    @classmethod
    def of(cls, call: Call, connection) -> "Work":
        return cls(call.svc, call.ctx, call.version, connection=connection)

    def readdress(self, *port_ids: str | None) -> None:
        """Note ports whose servers get other addresses; None stands for no port."""
        self.readdressed.update(p for p in port_ids if p)


def commit(call: Call, function: typing.Callable, *args) -> tuple[Work, typing.Any]:
    """Run ``function(work, *args)`` in a write transaction, again where the database gives it up.

    :returns: the work that was committed, and what the function returned
    """
    def attempt(connection):
        work = Work.of(call, connection)
        found = function(work, *args)
        work.changes.number(connection)
        return work, found
    work, found = call.svc.db.transact(attempt)
    work.changes.recheck(call.svc.db)
    call.svc.fanout.notify(work.changes, without=work.plugged)
    return work, found
