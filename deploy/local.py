"""``pileus up --driver fake``: the whole cloud in one process, without root."""

import warnings

warnings.filterwarnings("ignore", message="\\s*Eventlet is deprecated")
import eventlet  # noqa: E402

eventlet.monkey_patch()

import argparse  # noqa: E402
import gc  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

import eventlet.tpool  # noqa: E402

from common import files, log, native, service  # noqa: E402
from common.conf import ConfigError  # noqa: E402
from deploy import first, options, ports, prepare, settings, statedir  # noqa: E402
from deploy.daemons import DAEMONS  # noqa: E402

ADDRESS = "127.0.0.1"


HOST = "fake-host"


def _daemons(state: str, hosts: int):
    """(class of a daemon, its options): each daemon once, and those of a host for each further host."""
    for daemon in DAEMONS.values():
        yield daemon.load(), {"log_file": f"{state}/log/pileus.log"}
    for name in (f"{HOST}-{number}" for number in range(2, hosts + 1)):
        home = files.private_directory(f"{state}/hosts/{name}")
        own = {"log_file": f"{state}/log/pileus.log", "host": name, "state_path": str(home)}
        yield DAEMONS["network-agent"].load(), {**own, "network.serves": False}
        yield DAEMONS["compute-agent"].load(), own


def start(state: str, hosts: int = 1) -> list:
    """Start every daemon in this process; returns their service objects."""
    native.EXECUTOR = eventlet.tpool.execute
    running: list = []
    for cls, own in _daemons(state, hosts):
        made = cls.load(state, own)
        if not running:
            log.setup("pileus", made.conf)
            log.Levels(made.conf_name, made.opts, made.conf).start(made.stop_event)
        service.serve_wsgi(made, service.listen_all(cls, made.conf))
        made.start_background()
        running.append(made)
    return running


def run(args, state: str) -> int:
    """Prepare the state, start everything, and serve until a signal ends it. The caller has locked the state."""
    began = time.monotonic()
    statedir.check_driver(state, statedir.FAKE)
    before = statedir.load(state)
    offset = before.port_offset if args.port_offset is None else args.port_offset
    if taken := ports.conflicts(ADDRESS, offset):
        raise statedir.StateError("\n".join([*taken, "Stop these programs, or use other ports with --port-offset N."]))
    extra: dict = {"identity": {"identity": {"password_hash_rounds": "4"}}}
    for file, sections in args.set.items():
        for section, values in sections.items():
            extra.setdefault(file, {}).setdefault(section, {}).update(values)
    os.makedirs(f"{state}/log", exist_ok=True, mode=0o700)
    os.environ["PILEUS_STATE"] = state
    found = prepare.write_config(
        state, transport_url="fake://", host=HOST, my_ip=ADDRESS, offset=offset, driver="fake", extra=extra)
    prepare.sync_databases(state)
    prepare.first_rows(state, found, ADDRESS, offset, before=(before.ip, before.port_offset))
    statedir.save(state, statedir.Choices(driver=statedir.FAKE, ip=ADDRESS, port_offset=offset))
    openrc = prepare.write_openrc(state, found, ADDRESS, offset)
    running = start(state, args.fake_hosts)
    first.fake_cloud(found, offset)
    # What is here stays: the collector need not look at it again, which takes 200 ms, in the middle of any request.
    gc.collect()
    gc.freeze()
    if not args.quiet:
        print(f"A cloud without a hypervisor is up after {time.monotonic() - began:.1f} s.\n"
              f"  . {openrc}\n  openstack server list\n"
              f"Dashboard: http://{ADDRESS}:{8080 + offset}/ (admin, the password is in openrc).\n"
              f"Log: {state}/log/pileus.log. Ctrl-C stops it.", flush=True)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *a: stopped.set())
    signal.signal(signal.SIGINT, lambda *a: stopped.set())
    while not stopped.is_set():
        stopped.wait(0.5)
    for made in running:
        made.stop_event.set()
    os._exit(0)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(prog="pileus up --driver fake")
    parser.add_argument("--state", default=options.fake_state(), help="state directory of the cloud")
    options.fake_options(parser)
    args = parser.parse_args(argv)
    try:
        args.set = settings.parse(args.set)
    except ValueError as error:
        parser.error(str(error))
    os.umask(files.UMASK)
    state = os.path.abspath(args.state)
    try:
        with statedir.locked(state):
            return run(args, state)
    except OSError as error:
        text = ports.explain(error)
    except (statedir.StateError, ConfigError, RuntimeError) as error:
        text = str(error)
    print(f"pileus: {text}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
