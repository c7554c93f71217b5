"""The options of ``pileus up``, shared by the command, deploy/up and the fake cloud."""

import argparse
import os
import pathlib

from deploy.daemons import PORTS

STATE = "/var/lib/pileus"


def fake_state() -> str:
    """The default state directory of a fake cloud, in the user's home directory."""
    home = os.environ.get("XDG_STATE_HOME") or str(pathlib.Path.home() / ".local" / "state")
    return os.environ.get("PILEUS_STATE") or f"{home}/pileus-fake"


def host_options(parser) -> None:
    """Options of a cloud on this host. Options that are not given keep their previous values."""
    parser.add_argument("--database", default="", help="SQLAlchemy URL without a name, e.g. mysql+pymysql://u:p@host "
                        "(default: SQLite)")
    parser.add_argument("--image", default="", help="a disk image (file or URL) in place of the test guest")
    parser.add_argument("--image-format", default="", help="its format (default: qcow2)")
    parser.add_argument("--hosts", type=int, default=0, help="number of hosts of a lab on this machine: this host, then node2, "
                        "node3 and so on")
    parser.add_argument("--virt-type", default="", choices=("auto", "lxc"), help="what servers of this host are. auto: virtual "
                        "machines, with KVM where it works; lxc: containers, for which a package is installed (default: auto)")
    parser.add_argument("--ip", default="", help="management address, at which all daemons of this host listen, and which "
                        "is in the catalog (default: 127.0.0.1, for this host only)")
    parser.add_argument("--metrics-ip", default="", help="address where /metrics is served, which neither guests nor "
                        "users of the cloud must be able to reach (default: 127.0.0.1)")


def lab_options(parser) -> None:
    """Options of a host of the lab. Those that are not given keep their previous values."""
    parser.add_argument("--virt-type", default="", choices=("auto", "lxc"), help="what the servers of a host that is added are: "
                        "virtual machines, or containers (default: auto)")


def _port_offset(text: str) -> int:
    most = 65535 - max(PORTS.values())
    if not text.isdecimal() or int(text) > most:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to {most}")
    return int(text)


def fake_options(parser) -> None:
    """Options of a fake cloud."""
    parser.add_argument("--port-offset", type=_port_offset, default=None, metavar="N",
                        help="with --driver fake: add N to every port (default: as before, else 0)")
    parser.add_argument("--set", action="append", default=[], metavar="FILE.SECTION.OPTION=VALUE",
                        help="with --driver fake: an option of etc/FILE.conf, e.g. identity.identity.token_expiration=60")
    parser.add_argument("--fake-hosts", type=int, default=1, metavar="N",
                        help="with --driver fake: compute hosts, between which servers can be migrated (default: %(default)s)")
    parser.add_argument("--quiet", action="store_true", help="with --driver fake: print nothing once it is up")
