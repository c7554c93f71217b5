"""Take a cloud away: guests, daemons, networks, targets, and what was started for it."""

import os
import sys

from deploy import host, hypervisor, lab, supervisor, up


def main() -> int:
    state = os.environ.get("PILEUS_STATE", "/var/lib/pileus")
    if host.systemd():
        host.run("systemctl", "disable", "--now", "pileus.service", check=False)
        if os.path.exists("/etc/systemd/system/pileus.service"):
            os.unlink("/etc/systemd/system/pileus.service")
    lab.remove_all(state)
    supervisor.stop(state)
    host.remove_guests()
    host.remove_networks(state)
    host.remove_targets()
    host.remove_external_bridge(up.EXTERNAL)
    host.stop_broker(state)
    host.stop_target()
    hypervisor.stop_started()
    return 0


if __name__ == "__main__":
    sys.exit(main())
