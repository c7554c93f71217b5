"""The fake cloud, which writes down each SQL statement and bus message of a request: ``<state>.counted``, a JSON object a line.

{"request": the id that follows it through all services, "kind": "sql" or "message", "what"}. A lock counts as the statement
that it is on a database server. A call is two messages, a cast is one.
"""

from deploy import local  # isort: skip  (patches eventlet first)

import json
import sys

import sqlalchemy as sa
from sqlalchemy import event

from common import context, db, rpc


def count(path: str) -> None:
    out = open(path, "a", buffering=1)

    def note(ctx, kind: str, what: str) -> None:
        if ctx is not None:  # not what daemons do on their own
            out.write(json.dumps({"request": ctx.trace_id, "kind": kind, "what": what}) + "\n")

    def counted_lock(connection, *names):
        for name in names:
            note(context.active(), "sql", f"lock {name}")
        lock(connection, *names)

    def counted_send(client, method, ctx, arguments):
        for _ in range(2 if method.kind == "call" else 1):
            note(ctx, "message", f"{method.kind} {client.topic}.{method.name}")
        return send(client, method, ctx, arguments)

    event.listen(sa.Engine, "before_cursor_execute",
                 lambda connection, cursor, statement, *rest: note(context.active(), "sql", " ".join(statement.split())))
    lock, db.lock = db.lock, counted_lock
    send, rpc.Client.send = rpc.Client.send, counted_send  # type: ignore[method-assign]


if __name__ == "__main__":
    count(sys.argv[sys.argv.index("--state") + 1] + ".counted")
    sys.exit(local.main())
