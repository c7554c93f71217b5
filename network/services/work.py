"""A transaction for a request, and the actions that follow its commit."""

import dataclasses
import typing

from common.calls import Call
from network.db.changes import Changes


@dataclasses.dataclass(frozen=True)
class Work(Call):
    """The argument of functions that read or change rows for a caller: its call, and the open transaction.

    They record here what must be done after the commit. If the transaction is repeated, it has a new ``Work``, so
    that nothing is done for an attempt that was rolled back.
    """

    connection: typing.Any = None
    changes: Changes = dataclasses.field(default_factory=Changes)  # changes that agents must be notified of
    plugged: set[str] = dataclasses.field(default_factory=set)  # hosts whose agents are called after the commit, and waited for
    reported: set[str] = dataclasses.field(default_factory=set)  # ids of ports whose servers are shown differently from now on

    @classmethod
    def of(cls, call: Call, connection) -> "Work":
        return cls(call.svc, call.ctx, call.version, connection=connection)

    def report(self, *port_ids: str | None) -> None:
        """Record ports whose servers get new addresses or security groups; None is ignored."""
        self.reported.update(p for p in port_ids if p)


def commit(call: Call, function: typing.Callable, *args) -> tuple[Work, typing.Any]:
    """Run ``function(work, *args)`` in a write transaction, repeatedly if the database aborts it.

    :returns: the work that was committed, and the function's return value
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
