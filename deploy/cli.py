"""``pileus``: up, down, lab, status, trace, audit. Each verb imports what it needs, so that none starts slowly."""

import argparse
import os
import pathlib
import subprocess
import sys

CLONE = pathlib.Path(__file__).resolve().parent.parent


def _up(args, rest) -> int:
    if args.driver == "fake":
        from deploy import local
        return local.main(["--state", args.state, *rest])
    return subprocess.call([str(CLONE / "deploy" / "up"), *rest])


def _down(args, rest) -> int:
    return subprocess.call([str(CLONE / "deploy" / "down"), *rest])


def _supervise(args, rest) -> int:
    if "--daemons-only" not in rest:
        # In a child, so that the supervisor stays small.
        words = [sys.executable, "-c", f"from deploy import up; up.runtime({args.state!r})"]
        if subprocess.call(words, cwd=CLONE):
            return 1
    from deploy import supervisor
    return supervisor.Supervisor(args.state).run()


def _status(args, rest) -> int:
    from deploy import status
    return status.main(args.state)


def _trace(args, rest) -> int:
    from deploy import trace
    return trace.main(args.state, args.request_id)


def _lab(args, rest) -> int:
    from deploy import lab
    return lab.main(["--state", args.state, *rest])


def _audit(args, rest) -> int:
    from deploy import audit
    return audit.main(args.state, repair=args.repair)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(prog="pileus", description="Operate a Pileus cloud.")
    default = os.environ.get("PILEUS_STATE", "/var/lib/pileus")
    commands = parser.add_subparsers(dest="command", required=True)

    def verb(name: str, handler, text: str):
        made = commands.add_parser(name, help=text, description=text)
        made.add_argument("--state", default=default, help="state directory")
        made.set_defaults(handler=handler)
        return made
    verb("up", _up, "Start a cloud: on this host (root), or with --driver fake in one process.").add_argument(
        "--driver", choices=("libvirt", "fake"), default="libvirt")
    verb("down", _down, "Take this host's cloud away, with all its data.")
    verb("lab", _lab, "Further compute hosts on this machine: list, add NAME, remove NAME.")
    verb("supervise", _supervise, "Run the daemons and keep them running (systemd's command).")
    verb("status", _status, "Show daemons, hosts and what is stuck.")
    verb("trace", _trace, "Show every step of a request, through all services.").add_argument("request_id")
    verb("audit", _audit, "Compare databases with what is on this host.").add_argument(
        "--repair", action="store_true", help="mend what differs")
    args, rest = parser.parse_known_args(argv)
    if rest and args.command not in ("up", "down", "supervise", "lab"):
        parser.error(f"unknown words: {' '.join(rest)}")
    return args.handler(args, rest)


if __name__ == "__main__":
    sys.exit(main())
