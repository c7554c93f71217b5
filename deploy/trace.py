"""``pileus trace REQUEST_ID``: the steps of a request, from the events of servers and all logs."""

import datetime
import json
import pathlib

import sqlalchemy as sa

from common import conf
from common.service import default_url
from conductor.conf import OPTS


def events(state: str, request_id: str) -> list[tuple]:
    """(time, where, what, seconds) of the events of instance actions."""
    from common.db import Database
    from conductor.db import models
    loaded = conf.load("compute", OPTS, state)
    database = Database("trace", loaded.database.connection or default_url(state, "compute"))
    found = []
    with database.reader() as connection:
        a, e = models.instance_actions, models.instance_events
        for row in connection.execute(sa.select(a).where(a.c.request_id == request_id)).mappings():
            found.append((row["start_time"], "compute-api", f"action {row['action']} of server {row['instance_uuid']}"
                          + (f": {row['message']}" if row["message"] else ""), None))
        for row in connection.execute(sa.select(e).where(e.c.request_id == request_id)).mappings():
            took = (row["finish_time"] - row["start_time"]).total_seconds() if row["finish_time"] else None
            text = f"{row['event']}: {row['result'] or 'under way'}" + (f" ({row['details']})" if row["details"] else "")
            found.append((row["start_time"], row["host"] or "scheduler", text, took))
    return found


def log_lines(state: str, request_id: str) -> list[tuple]:
    """The same for every log line with the id."""
    found = []
    for path in sorted(pathlib.Path(state, "log").glob("*.log")):
        with open(path, errors="replace") as lines:
            for line in lines:
                if request_id in line:
                    try:
                        entry = json.loads(line)
                    except ValueError:
                        continue
                    at = datetime.datetime.fromisoformat(entry["time"]).replace(tzinfo=None)
                    found.append((at, entry["service"], f"{entry['level'].lower()}: {entry['message']}", None))
    return found


def main(state: str, request_id: str, *, as_json: bool = False) -> int:
    found = sorted(events(state, request_id) + log_lines(state, request_id), key=lambda x: x[0])
    if as_json:
        print(json.dumps([{"time": f"{at.isoformat()}Z", "where": where, "text": text, "seconds": took}
                          for at, where, text, took in found], indent=2))
        return 0 if found else 1
    if not found:
        print(f"There is no trace of {request_id}. Ids are in the X-Openstack-Request-Id header and in "
              f"'openstack server event list'.")
        return 1
    first = found[0][0]
    for at, where, text, took in found:
        print(f"{(at - first).total_seconds():9.3f} s  {where:16} {text}" + (f"  [{took:.3f} s]" if took is not None else ""))
    return 0
