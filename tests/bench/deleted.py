"""What lists of servers cost beside deleted ones, on each kind of database.

    python -m tests.bench.deleted [--deleted 100000] [--living 500] [--rounds 40] [--on DATABASE]

Prints the milliseconds of a page of 100, the least of the rounds, before and after that many servers of the same project were
deleted, and how fast they are purged. A list of living servers costs the same in both columns. Nothing here is a test.
"""

import argparse
import contextlib
import datetime
import pathlib
import tempfile
import time

import pytest
import sqlalchemy as sa

from common import context, db, migrate
from common.db import Database
from conductor.db import deletion, instances, models
from conductor.db.scope import Scope
from tests import databases
from tests.compute.test_deleted_servers import ROW

TABLE, DELETED = models.instances, models.deleted_instances


@contextlib.contextmanager
def servers(kind):
    """The URL of an empty compute database."""
    if kind is None:
        with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
            yield f"sqlite:///{pathlib.Path(home)}/compute.sqlite"
        return
    made = kind()
    try:
        made.make()
        yield f"{made.url}compute"
    finally:
        made.stop()


def fill(database, table, count: int) -> None:
    """The last of them a second ago, one each second before."""
    end = db.now()
    for first in range(0, count, 1000):
        rows = []
        for n in range(first, min(first + 1000, count)):
            at = end - datetime.timedelta(seconds=n + 1)
            rows.append({**ROW, "uuid": context.new_uuid(), "created_at": at, "updated_at": at, "project_id": "p",
                         **({"deleted_at": at, "vm_state": "deleted"} if table is DELETED else {})})
        with database.writer() as connection:
            connection.execute(sa.insert(table), rows)


def page(*tables, since: datetime.timedelta | None = None):
    def ask(connection):
        changed = [] if since is None else [db.now() - since]
        where = {t: [Scope("p").of(t.c.project_id), *((t.c.deleted_at if t is DELETED else t.c.updated_at) >= moment
                                                      for moment in changed)] for t in tables}
        connection.execute(instances.page(where, TABLE.c.keys(), sort=[("created_at", "desc")], limit=100, marker_row=None)).all()
    return ask


QUESTIONS = {
    "living servers": page(TABLE), "use of the quota": lambda connection: instances.usage(connection, "p"),
    "changed in five minutes": page(TABLE, DELETED, since=datetime.timedelta(minutes=5)), "deleted servers": page(DELETED)}


def measure(database, rounds: int) -> dict[str, float]:
    """{question: milliseconds, the least of the tries: others may be at work on the machine}"""
    found = {}
    for name, ask in QUESTIONS.items():
        spent = []
        for _ in range(rounds):
            with database.reader() as connection:
                began = time.perf_counter()
                ask(connection)
                spent.append((time.perf_counter() - began) * 1000)
        found[name] = min(spent)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deleted", type=int, default=100000)
    parser.add_argument("--living", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--on", default="", metavar="DATABASE", help="SQLite, MariaDB or PostgreSQL; by default all three")
    args = parser.parse_args()
    for name, kind in (("SQLite", None), ("MariaDB", databases.MariaDB), ("PostgreSQL", databases.PostgreSQL)):
        if args.on not in ("", name):
            continue
        try:
            with servers(kind) as url:
                migrate.sync("conductor.db", url)
                database = Database("compute", url)
                fill(database, TABLE, args.living)
                before = measure(database, args.rounds)
                fill(database, DELETED, args.deleted)
                after = measure(database, args.rounds)
                print(f"{name:28}{'0 deleted':>12}{f'{args.deleted} deleted':>18}   ms")
                for question, spent in before.items():
                    print(f"  {question:26}{spent:12.2f}{after[question]:18.2f}")
                began = time.perf_counter()
                removed = deletion.purge(database, db.now())
                print(f"  {removed} purged, {removed / (time.perf_counter() - began):.0f} a second", flush=True)
                database.engine.dispose()
        except pytest.skip.Exception as skipped:
            print(f"{name}: {skipped}")


if __name__ == "__main__":
    main()
