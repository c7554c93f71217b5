"""Common parts of ``<service>-manage``. Exit status: 0 success, 1 failure, 2 usage error."""

import argparse
import datetime
import functools
import sys
from collections.abc import Callable

from common.version import Version


def explain(error: Exception) -> str | None:
    """What an operator must know of an error that is no fault of the program; None for other errors."""
    from sqlalchemy import exc

    from common import conf, db_errors, errors
    if isinstance(error, (conf.ConfigError, errors.Error)):
        return str(error)
    if isinstance(error, exc.TimeoutError) or isinstance(error, exc.StatementError) and db_errors.cause(error) == "away":
        return f"the database cannot be used: {db_errors.driver_text(error)}"
    return None


def explained(main: Callable[..., int]) -> Callable[..., int]:
    """A command that prints an error of which ``explain`` knows in place of a traceback."""
    @functools.wraps(main)
    def run(argv=None) -> int:
        try:
            return main(argv)
        except Exception as error:
            if (text := explain(error)) is None:
                raise
            return fail(text)
    return run


def moment(text: str) -> datetime.datetime:
    """A date or time from the command line (ISO 8601, UTC unless it has a zone), as stored: UTC without a zone."""
    found = datetime.datetime.fromisoformat(text)
    return found.astimezone(datetime.timezone.utc).replace(tzinfo=None) if found.tzinfo else found


def parser(name: str, *, purged: str = "") -> tuple:
    """(parser, its sub-commands), including ``db``.

    :param purged: what ``db purge`` removes, for a service that keeps deleted rows; ``args`` then has ``before`` and ``batch``
    """
    made = argparse.ArgumentParser(prog=f"{name}-manage", description=f"Administer the {name} service of a Pileus cloud.")
    made.add_argument("--version", action=Version)
    made.add_argument("--state", default=None, help="state directory of the cloud (default: $PILEUS_STATE, else /var/lib/pileus)")
    commands = made.add_subparsers(dest="command", required=True, title="commands", metavar="COMMAND")
    db = command(commands, "db", "Upgrade the database schema, or show its version"
                 + (f"; remove {purged} for good." if purged else "."))
    db.add_argument("verb", choices=("sync", "version", *(("purge",) if purged else ())),
                    help="sync: create or upgrade the schema; version: show it" + (f"; purge: remove {purged}" if purged else ""))
    if purged:
        db.add_argument("--before", type=moment, metavar="DATE", help=f"purge: remove {purged} from before it (2026-08-31)")
        db.add_argument("--batch", type=int, default=1000, help="purge: rows per transaction (default: %(default)s)")
    return made, commands


def command(commands, name: str, text: str) -> argparse.ArgumentParser:
    """Add a sub-command. ``text``: one sentence that describes it."""
    return commands.add_parser(name, help=text, description=text)


def database(service_class, package: str, args) -> int:
    """Run ``db sync`` or ``db version``."""
    from common import conf, migrate
    from common.service import default_url
    loaded = conf.load(service_class.conf_name, service_class.opts, args.state)
    url = loaded.database.connection or default_url(loaded.state_path, service_class.db_name)
    if args.verb == "sync":
        migrate.sync(package, url)
    at, head = migrate.version(package, url)
    print(f"{service_class.db_name}: {at or 'empty'} (newest {head})")
    return 0 if at == head else 1


def fail(text: str) -> int:
    print(text, file=sys.stderr)
    return 1
