"""Remove a cloud: guests, daemons, networks, iSCSI targets, services started for it, and its state directory.

Resources of the host that do not contain a cloud's name (bridges, rules, namespaces) are removed only if no other
cloud uses this host.
"""

import argparse
import os
import shutil
import signal
import sys

from common.periodic import wait_for
from deploy import broker, host, hypervisor, lab, options, ports, statedir, supervisor, up


def host_cloud(state: str) -> None:
    """Everything of a cloud on this host except its files."""
    unit = "/etc/systemd/system/pileus.service"
    if host.systemd() and os.path.exists(unit) and f"--state {state}\n" in open(unit).read():
        host.run("systemctl", "disable", "--now", "pileus.service", check=False)
        os.unlink(unit)
    lab.remove_all(state)
    supervisor.stop(state)
    host.remove_guests(state)
    host.remove_targets(state)
    if host.has_host(state):
        host.remove_networks(state)
        host.remove_external_bridge(up.EXTERNAL)
        lab.remove_bridge()
    if host.has_host(state) or not host.systemd():  # systemd's broker belongs to the cloud that uses this host
        broker.stop_broker(state)
    if host.has_host(state):
        host.stop_target()
        hypervisor.stop_started()
        host.ROTATION.unlink(missing_ok=True)
        host.OWNER.unlink(missing_ok=True)


def fake_cloud(state: str) -> None:
    """End the process of a fake cloud."""
    pid = statedir.holder_pid(state)
    if pid:
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: statedir.holder_pid(state) is None, 15, what=f"process {pid} to end")


def _agreed(state: str, yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        print("pileus down: this destroys servers, volumes and images; without a terminal, use --yes.",
              file=sys.stderr)
        return False
    return input(f"Destroy the cloud in {state}, with all its servers, volumes and images? [y/N] ").strip().lower() in (
        "y", "yes")


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(prog="pileus down", description=__doc__)
    parser.add_argument("--state", default=os.environ.get("PILEUS_STATE", options.STATE), help="state directory of the cloud")
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    args = parser.parse_args(argv)
    state = os.path.abspath(args.state)
    try:
        statedir.require_cloud(state)
        fake = statedir.load(state).driver == statedir.FAKE
        if not fake and os.getuid():
            raise statedir.StateError("Only root can remove a cloud on this host.")
        if not _agreed(state, args.yes):
            return 2
        if fake:
            fake_cloud(state)
        with statedir.locked(state):
            if not fake:
                host_cloud(state)
            shutil.rmtree(os.path.realpath(state))
            if os.path.islink(state):
                os.unlink(state)
    except (host.HostError, statedir.StateError, TimeoutError) as error:
        print(f"pileus down: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"pileus down: {ports.explain(error)}", file=sys.stderr)
        return 1
    print(f"The cloud in {state} is gone.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
