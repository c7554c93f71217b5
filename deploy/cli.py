"""``pileus``: up, down, lab, status, trace, audit. Each verb imports what it needs, so that none starts slowly.

Until a verb runs, only Python's own modules are needed: ``deploy/up --help`` must answer before anything is installed.
"""

import argparse
import os
import pathlib
import subprocess
import sys

from common.version import Version
from deploy import options, statedir

CLONE = pathlib.Path(__file__).resolve().parent.parent
# What is installed, and where the parser of each is.
COMMANDS = {"pileus": "deploy.cli", "identity-manage": "identity.cli", "image-manage": "image.cli",
            "network-manage": "network.cli", "volume-manage": "volume.cli", "compute-manage": "conductor.cli"}
FAKE_ONLY = ("port_offset", "set", "quiet")
HOST_ONLY = ("database", "image", "image_format", "hosts", "ip", "metrics_ip")


def _up(args) -> int:
    fake = args.driver == "fake"
    foreign = [n for n in (HOST_ONLY if fake else FAKE_ONLY) if getattr(args, n) not in (None, False, [], "", 0)]
    if foreign:
        args.parser.error(f"--{foreign[0].replace('_', '-')} cannot be used with --driver {args.driver}")
    words = []
    for name in FAKE_ONLY if fake else HOST_ONLY:
        value, option = getattr(args, name), f"--{name.replace('_', '-')}"
        if isinstance(value, list):
            words += [word for item in value for word in (option, item)]
        elif value is True:
            words.append(option)
        elif value or (name == "port_offset" and value is not None):
            words += [option, str(value)]
    if fake:
        from deploy import local
        return local.main(["--state", args.state or options.fake_state(), *words])
    script = CLONE / "deploy" / "up"
    if not script.exists():
        raise statedir.StateError("A cloud on this host is installed from a clone of the repository, by 'sudo deploy/up' there. "
                                  "A package installed by pip can start one with '--driver fake'.")
    return subprocess.call([str(script), *words],
                           env={**os.environ, "PILEUS_STATE": os.path.abspath(args.state or _default())})


def _down(args) -> int:
    from deploy import down
    return down.main(["--state", args.state, *(["--yes"] if args.yes else [])])


def _supervise(args) -> int:
    from common import files
    os.umask(files.UMASK)
    if not args.daemons_only:
        # In a child, so that the supervisor stays small.
        words = [sys.executable, "-c", f"from deploy import up; up.runtime({args.state!r})"]
        if subprocess.call(words, cwd=CLONE):
            return 1
    from deploy import supervisor
    return supervisor.Supervisor(args.state).run()


def _status(args) -> int:
    from deploy import status
    return status.main(args.state, after_s=args.after, as_json=args.json)


def _trace(args) -> int:
    from deploy import trace
    return trace.main(args.state, args.request_id, as_json=args.json)


def _lab(args) -> int:
    from deploy import lab
    return lab.main(["--state", args.state, args.verb, *([args.name] if args.name else []),
                     *(["--virt-type", args.virt_type] if args.virt_type else [])])


def _audit(args) -> int:
    from deploy import audit
    return audit.main(args.state, repair=args.repair, as_json=args.json)


def _completion(args) -> int:
    import importlib

    import shtab
    print(shtab.complete(importlib.import_module(COMMANDS[args.of]).build_parser(), args.shell))
    return 0


def _man(args) -> int:
    from deploy import man
    return man.main(args.page, args.install)


def _default() -> str:
    return os.environ.get("PILEUS_STATE", options.STATE)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pileus", description="Operate a Pileus cloud.")
    parser.add_argument("--version", action=Version)
    commands = parser.add_subparsers(dest="command", required=True, title="commands", metavar="COMMAND")

    def verb(name: str, handler, text: str, state: str | None = None, *, of_a_cloud: bool = True):
        made = commands.add_parser(name, help=text, description=text)
        made.add_argument("--state", default=_default() if state is None else state,
                          help=f"state directory of the cloud (default: $PILEUS_STATE, else {options.STATE}"
                          + (", with --driver fake ~/.local/state/pileus-fake)" if name == "up" else ")"))
        made.set_defaults(handler=handler, parser=made, of_a_cloud=of_a_cloud)
        return made
    up = verb("up", _up, "Start a cloud: on this host (root; installs packages), or with --driver fake in one process.", "",
              of_a_cloud=False)
    up.add_argument("--driver", choices=("libvirt", "fake"), default="libvirt",
                    help="libvirt: real guests on this host; fake: a cloud in one process with simulated guests "
                    "(default: %(default)s)")
    options.host_options(up)
    options.fake_options(up)
    verb("down", _down, "Remove a cloud with all its data, after asking for confirmation.", of_a_cloud=False).add_argument(
        "--yes", action="store_true", help="do not ask for confirmation")
    lab = verb("lab", _lab, "Manage additional compute hosts on this machine, in namespaces of their own.")
    lab.add_argument("verb", nargs="?", choices=("list", "add", "remove"), default="list",
                     help="list: show them; add: start one, now and after each reboot; remove: stop and delete one "
                     "(default: %(default)s)")
    lab.add_argument("name", nargs="?", help="of the host to add or remove: up to eleven small letters, digits and hyphens")
    options.lab_options(lab)
    verb("supervise", _supervise, "Run the daemons and restart those that end (for systemd).").add_argument(
        "--daemons-only", action="store_true", help="do not start the broker, libvirt and tgtd")
    for_programs = {"action": "store_true", "help": "print JSON"}
    status = verb("status", _status, "Show a cloud's daemons, hosts and queues, and what is stuck: where, since when and why. "
                  "The exit status is 1 if anything is wrong.", of_a_cloud=False)
    status.add_argument("--after", type=float, default=600, metavar="SECONDS",
                        help="seconds after which an operation counts as stuck (default: %(default)s)")
    status.add_argument("--json", **for_programs)
    trace = verb("trace", _trace, "Show every step of a request, through all services.")
    trace.add_argument("request_id", help="as in the header X-Openstack-Request-Id, and in 'openstack server event list'")
    trace.add_argument("--json", **for_programs)
    audit = verb("audit", _audit, "Compare the databases with the resources on every host.")
    audit.add_argument("--repair", action="store_true", help="repair what can be repaired")
    audit.add_argument("--json", **for_programs)
    about = "Print a script that completes a command's words in a shell: source <(pileus completion bash)."
    completion = commands.add_parser("completion", help=about, description=about)
    completion.add_argument("shell", choices=("bash", "zsh"), help="the shell that reads it")
    completion.add_argument("--of", choices=COMMANDS, default="pileus", help="the command (default: %(default)s)")
    completion.set_defaults(handler=_completion, parser=completion, of_a_cloud=False)
    about = "Show the manual page of a command, or install all pages."
    man = commands.add_parser("man", help=about, description=about)
    man.add_argument("page", nargs="?", default="pileus", help="for example pileus-up or image-manage (default: %(default)s)")
    man.add_argument("--install", nargs="?", const="", metavar="DIRECTORY",
                     help="install all pages in this directory (default: share/man beside this command's bin, which man "
                     "searches if that bin is in $PATH)")
    man.set_defaults(handler=_man, parser=man, of_a_cloud=False)
    return parser


def main(argv=None) -> int:
    args = build_parser().parse_args(argv)
    try:
        if args.of_a_cloud:  # the others check by themselves, or need no cloud
            statedir.require_cloud(args.state)
        return args.handler(args)
    except statedir.StateError as error:
        print(f"pileus {args.command}: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:  # a cloud's files are accessible to its owner only
        print(f"pileus {args.command}: no permission for {error.filename}; run this as the user of the cloud", file=sys.stderr)
        return 1
    except Exception as error:
        from common import manage
        if (text := manage.explain(error)) is None:
            raise
        print(f"pileus {args.command}: {text}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
