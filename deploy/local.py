"""``pileus up --driver fake``: the whole cloud in one process, without root."""

import warnings

warnings.filterwarnings("ignore", message="\\s*Eventlet is deprecated")
import eventlet  # noqa: E402

eventlet.monkey_patch()

import argparse  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

import eventlet.tpool  # noqa: E402

from common import log, native, service  # noqa: E402
from deploy import first, prepare  # noqa: E402
from deploy.daemons import DAEMONS  # noqa: E402


def start(state: str) -> list:
    """Start every daemon in this process; returns their service objects."""
    native.EXECUTOR = eventlet.tpool.execute
    running: list = []
    for daemon in DAEMONS.values():
        cls = daemon.load()
        made = cls.load(state, {"log_file": f"{state}/log/pileus.log"})
        if not running:
            log.setup("pileus", made.conf)
        service.serve_wsgi(made, service.listen_all(cls, made.conf))
        made.start_background()
        running.append(made)
    return running


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(prog="pileus up --driver fake")
    parser.add_argument("--state", required=True)
    parser.add_argument("--port-offset", type=int, default=0)
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--set", action="append", default=[], metavar="FILE.SECTION.OPTION=VALUE",
                        help="an option of etc/FILE.conf, e.g. identity.identity.token_expiration=60")
    args = parser.parse_args(argv)
    extra: dict = {"identity": {"identity": {"password_hash_rounds": "4"}},
                   "pileus": {"DEFAULT": {"bind_host": "127.0.0.1"}}}
    for item in args.set:
        name, _, value = item.partition("=")
        file, section, option = name.split(".", 2)
        extra.setdefault(file, {}).setdefault(section, {})[option] = value
    began = time.monotonic()
    state = os.path.abspath(args.state)
    os.makedirs(f"{state}/log", exist_ok=True)
    os.environ["PILEUS_STATE"] = state
    found = prepare.write_config(
        state, transport_url="fake://", host="fake-host", my_ip="127.0.0.1", offset=args.port_offset, driver="fake",
        extra=extra)
    prepare.sync_databases(state)
    prepare.first_rows(state, found, "127.0.0.1", args.port_offset)
    openrc = prepare.write_openrc(state, found, "127.0.0.1", args.port_offset)
    try:
        running = start(state)
    except OSError as error:
        print(f"pileus: a port is taken ({error}). Another cloud may run; --port-offset N moves this one.",
              file=sys.stderr)
        return 1
    first.fake_cloud(found, args.port_offset)
    if not args.quiet:
        print(f"A cloud without a hypervisor is up after {time.monotonic() - began:.1f} s.\n"
              f"  . {openrc}\n  openstack server list\n"
              f"Dashboard: http://127.0.0.1:{8080 + args.port_offset}/ (admin, the password is in openrc).\n"
              f"Log: {state}/log/pileus.log. Ctrl-C stops it.", flush=True)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *a: stopped.set())
    signal.signal(signal.SIGINT, lambda *a: stopped.set())
    while not stopped.is_set():
        stopped.wait(0.5)
    for made in running:
        made.stop_event.set()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
