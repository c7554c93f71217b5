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


def processes(state: str, fake: bool) -> dict[str, dict | None]:
    """{daemon: {"pid", "pss_mb"} or None where it does not run}; of a cloud with fake drivers the one process, ``pileus``."""
    if fake:
        running = {"pileus": pid} if (pid := statedir.holder_pid(state)) else {}
        names = ["pileus"]
    else:
        above = supervisor.running_pid(state)
        running = {"supervisor": above, **daemons(above)} if above else {}
        names = ["supervisor", *DAEMONS]
    return {n: {"pid": running[n], "pss_mb": round(pss_kib(running[n]) / 1024, 1)} if n in running else None for n in names}


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


def health(address: str, offset: int) -> dict[str, str]:
    """{API: why it is not well}, of those that are not."""
    found = {name: unhealthy(f"http://{address}:{port + offset}") for name, port in PORTS.items()}
    return {name: f"port {PORTS[name] + offset}: {reason}" for name, reason in found.items() if reason}


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


def collect(state: str) -> dict:
    """All of it, of one cloud; ``ok`` is whether nothing is wrong.

    :raises StateError: there is no cloud in the directory
    """
    statedir.require_cloud(state)
    known = statedir.load(state)
    address = conf.load("pileus", {}, state).my_ip
    found: dict = {"state": state, "address": address, "daemons": processes(state, known.driver == statedir.FAKE),
                   "unhealthy": health(address, known.port_offset)}
    try:
        cloud = first.Cloud(prepare.ensure_secrets(state)["admin_password"], address, known.port_offset)
        cloud.login()
        found["hosts"] = down_agents(cloud)
    except (RuntimeError, OSError, urllib3.exceptions.HTTPError) as error:
        found["hosts"] = [f"hosts cannot be asked for: {error}"]
    found["stuck"] = stuck(state)
    found["ok"] = all(found["daemons"].values()) and not (found["unhealthy"] or found["hosts"] or found["stuck"])
    return found


def main(state: str, *, as_json: bool = False) -> int:
    try:
        found = collect(state)
    except statedir.StateError as error:
        print(json.dumps({"ok": False, "error": str(error)}) if as_json else f"pileus status: {error}")
        return 1
    if as_json:
        print(json.dumps(found, indent=2))
        return 0 if found["ok"] else 1
    print(f"cloud in {state} at {found['address']}")
    for name, process in found["daemons"].items():
        print(f"{name:18} " + (f"up    pid {process['pid']:<7} {process['pss_mb']:6.1f} MB" if process else "DOWN"))
    for name, reason in found["unhealthy"].items():
        print(f"{name:18} {reason}")
    print("\n".join([*found["hosts"], *found["stuck"]] or ["every host reports, nothing is stuck"]))
    return 0 if found["ok"] else 1
