"""compute-manage: schema, deleted servers, flavors, services."""

import argparse

from common import manage


def build_parser() -> argparse.ArgumentParser:
    parser, commands = manage.parser("compute", purged="deleted servers and their actions")
    service = manage.command(commands, "service", "Show the compute services and whether they are up.")
    service.add_argument("verb", choices=("list",), help="list: one line per service")
    manage.command(commands, "flavors", "Create the standard flavors; may be repeated.")
    return parser


@manage.explained
def main(argv=None) -> int:
    from conductor.db import aggregates, deletion, flavors, hosts
    from conductor.service import Conductor
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.command == "db" and args.verb == "purge":
        if args.before is None or args.batch < 1:
            parser.error("db purge needs --before DATE, and a --batch of 1 or more")
        print(f"{deletion.purge(Conductor.load(args.state).db, args.before, args.batch)} deleted servers purged")
        return 0
    if args.command == "db":
        return manage.database(Conductor, "conductor.db", args)
    daemon = Conductor.load(args.state)
    if args.command == "flavors":
        with daemon.db.writer() as connection:
            flavors.ensure_standard(connection)
        return 0
    with daemon.db.reader() as connection:
        for row in aggregates.services(connection, daemon.conf.compute.default_availability_zone):
            up = hosts.is_up(row, daemon.conf.service_down_time)
            print(f"{row['binary']:18} {row['host']:24} {row['zone']:10} {'up' if up else 'down'}")
    return 0
