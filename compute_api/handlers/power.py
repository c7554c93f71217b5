"""What changes how a guest runs: begun in one transaction, done by its host, repeated by the sweep where lost."""

from common import errors
from compute_api import access
from conductor.db import actions as history
from conductor.db import machine


def begin(req, connection, id: str, rule: str, action: str, recorded: str) -> dict:
    """Move a server into an action of the state machine, recorded under its name in the server's history; its row as it was.

    :raises Forbidden: the rule does not allow it
    :raises Conflict: the server is locked, busy, in a state that does not allow it, or was never built
    """
    row = access.server(req, connection, id, rule)
    access.check_lock(req, row)
    if row["host"] is None and row["task_state"] is None:
        raise errors.Conflict(f"Instance {id} has no host: it was never built.")
    machine.begin(connection, id, action, request_id=req.ctx.request_id)
    history.start(connection, req.ctx, id, recorded)
    return row


def send(req, row: dict, action: str) -> None:
    """Tell the host, after the transaction."""
    req.svc.send(req.svc.agents.power, req.ctx, row["host"], row["uuid"], action)


def simple(rule: str, action: str, recorded: str = ""):
    """The handler of an action that needs nothing else."""
    def handler(req, id, arguments):
        with req.svc.db.writer() as connection:
            row = begin(req, connection, id, rule, action, recorded or action)
        send(req, row, action)
    return handler
