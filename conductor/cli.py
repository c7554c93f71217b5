"""compute-manage: schema, flavors, services."""

import sqlalchemy as sa

from common import manage


def main(argv=None) -> int:
    from conductor.db import flavors, hosts, models
    from conductor.service import Conductor
    parser, commands = manage.parser("compute")
    service = commands.add_parser("service", help="what runs where")
    service.add_argument("verb", choices=("list",))
    commands.add_parser("flavors", help="make the standard flavors; safe to repeat")
    args = parser.parse_args(argv)
    if args.command == "db":
        return manage.database(Conductor, "conductor.db", args)
    daemon = Conductor.load(args.state)
    if args.command == "flavors":
        with daemon.db.writer() as connection:
            flavors.ensure_standard(connection)
        return 0
    with daemon.db.reader() as connection:
        for row in connection.execute(sa.select(models.services)).mappings():
            up = hosts.is_up(dict(row), daemon.conf.service_down_time)
            print(f"{row['binary']:18} {row['host']:24} {row['zone']:10} {'up' if up else 'down'}")
    return 0
