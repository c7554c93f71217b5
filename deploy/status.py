"""``pileus status``: what of one cloud runs, what answers, what is stuck. The exit status is 1 where something is wrong."""

import contextlib
import datetime
import json
import urllib.error
import urllib.request

import psutil
import sqlalchemy as sa
import urllib3

from common import conf, db, rows
from common.service import default_url
from deploy import audit, first, prepare, statedir, supervisor
from deploy.daemons import DAEMONS, PORTS

ANSWER_S = 3


def daemons(supervisor_pid: int | None = None) -> dict[str, int]:
    """{daemon name: pid} below a supervisor, by the name that each gave itself; without one, of every cloud on this host."""
    names, found = {f"p-{n}"[:15]: n for n in DAEMONS}, {}
    processes = psutil.Process(supervisor_pid).children(recursive=True) if supervisor_pid else psutil.process_iter()
    for process in processes:
        with contextlib.suppress(psutil.Error):  # it ended meanwhile
            if process.name() in names:
                found[names[process.name()]] = process.pid
    return found


def daemons_of(supervisor_pid: int) -> dict[str, int]:
    """{name or command: pid} of a supervisor and everything below it."""
    top, found = psutil.Process(supervisor_pid), {}
    for process in (top, *top.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile
            found[f"{process.name()} {process.pid}"] = process.pid
    return found


def pss_kib(pid: int) -> int:
    """Proportional set size, KiB: shared memory counted in shares. 0: the process ended meanwhile."""
    try:
        return psutil.Process(pid).memory_full_info().pss // 1024
    except psutil.NoSuchProcess:
        return 0


def _show_processes(state: str, fake: bool) -> int:
    """The number of daemons that are missing."""
    if fake:
        pid = statedir.holder_pid(state)
        print(f"one process for all daemons: {f'pid {pid}, {pss_kib(pid) / 1024:.1f} MB' if pid else 'not running'}")
        return 0 if pid else len(DAEMONS)
    pid = supervisor.running_pid(state)
    print(f"supervisor: {f'pid {pid}' if pid else 'not running'}")
    running = daemons(pid) if pid else {}
    for name in DAEMONS:
        print(f"{name:18} up    pid {running[name]:<7} {pss_kib(running[name]) / 1024:6.1f} MB" if name in running else
              f"{name:18} DOWN")
    return len(DAEMONS) - len(running)


def unhealthy(url: str) -> str:
    """Why an API is not well, in words; empty when it is."""
    try:
        with urllib.request.urlopen(f"{url}/healthcheck", timeout=ANSWER_S):
            return ""
    except urllib.error.HTTPError as error:
        try:
            return ", ".join(json.loads(error.read())["reasons"])
        except (ValueError, KeyError):
            return f"answered {error.code}"
    except OSError as error:
        return f"does not answer ({error})"


def _show_health(address: str, offset: int) -> int:
    """The number of APIs that are not well."""
    wrong = 0
    for name, port in PORTS.items():
        reason = unhealthy(f"http://{address}:{port + offset}")
        if reason:
            wrong += 1
            print(f"{name:18} port {port + offset}: {reason}")
    return wrong


def down_agents(cloud: first.Cloud) -> list[str]:
    """A line for each service or agent of a host that has not reported for too long."""
    found = []
    for service in ("compute", "volume"):
        found += [f"{s['binary']} on {s['host']}: down since {s['updated_at']}"
                  for s in cloud.call(service, "GET", "/os-services")["services"] if s["state"] != "up"]
    return found + [f"{a['binary']} on {a['host']}: down since {a['heartbeat_timestamp']}"
                    for a in cloud.call("network", "GET", "/agents")["agents"] if not a["alive"]]


def stuck(state: str, after_s: float = audit.STUCK_S) -> list[str]:
    """A line for each server, volume or snapshot that has been on its way for too long."""
    from conductor.db import models as compute
    from volume.db import models as volume
    found, before = [], db.now() - datetime.timedelta(seconds=after_s)
    for name, table, column, transient in (
            ("compute", compute.instances, "task_state", None),
            ("volume", volume.volumes, "status", audit.TRANSIENT_VOLUME),
            ("volume", volume.snapshots, "status", ("creating", "deleting"))):
        loaded = conf.load(name, {}, state)
        database = db.Database(f"status-{name}", loaded.database.connection or default_url(state, name))
        held = table.c[column].in_(transient) if transient else table.c[column].is_not(None)
        with database.reader() as connection:
            for row in rows.many(connection, sa.select(table).where(held, table.c.updated_at < before)):
                found.append(f"{table.name[:-1]} {row.get('uuid') or row['id']}: {row[column]} since {row['updated_at']:%F %T}")
        database.engine.dispose()
    return found


def main(state: str) -> int:
    try:
        statedir.require_cloud(state)
    except statedir.StateError as error:
        print(f"pileus status: {error}")
        return 1
    known = statedir.load(state)
    address = conf.load("pileus", {}, state).my_ip
    print(f"cloud in {state} at {address}")
    wrong = _show_processes(state, known.driver == statedir.FAKE) + _show_health(address, known.port_offset)
    try:
        cloud = first.Cloud(prepare.ensure_secrets(state)["admin_password"], address, known.port_offset)
        cloud.login()
        lines = down_agents(cloud)
    except (RuntimeError, OSError, urllib3.exceptions.HTTPError) as error:
        lines = [f"hosts cannot be asked for: {error}"]
    lines += stuck(state)
    print("\n".join(lines or ["every host reports, nothing is stuck"]))
    return 1 if wrong or lines else 0
