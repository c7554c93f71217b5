"""volume-manage: schema, default type, services."""

import argparse

import sqlalchemy as sa

from common import context, db, manage


def build_parser() -> argparse.ArgumentParser:
    parser, commands = manage.parser("volume")
    service = manage.command(commands, "service", "Show the services of the volume hosts, and which of them are up.")
    service.add_argument("verb", choices=("list",), help="list: one line per service")
    manage.command(commands, "default-type", "Create the default volume type; may be repeated.")
    return parser


@manage.explained
def main(argv=None) -> int:
    from volume.db import models
    from volume.service import VolumeScheduler
    args = build_parser().parse_args(argv)
    if args.command == "db":
        return manage.database(VolumeScheduler, "volume.db", args)
    daemon = VolumeScheduler.load(args.state)
    if args.command == "default-type":
        default_type(daemon)
        return 0
    with daemon.db.reader() as connection:
        for row in connection.execute(sa.select(models.services)).mappings():
            age = (db.now() - row["updated_at"]).total_seconds()
            print(f"{row['binary']:18} {row['host']:24} {'up' if age < daemon.conf.service_down_time else 'down'}")
    return 0


def default_type(service) -> None:
    from volume.db import models
    table, name = models.volume_types, service.conf.volume.default_volume_type
    with service.db.writer() as connection:
        if not connection.execute(sa.select(table.c.id).where(table.c.name == name)).first():
            connection.execute(sa.insert(table).values(id=context.new_uuid(), name=name, is_public=True,
                                                       description="Default volume type", extra_specs={}))
