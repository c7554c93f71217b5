"""image-manage: schema, the catalog of metadata definitions, and deleted images that have not been scrubbed yet."""

import argparse
import pathlib

from common import errors, manage


def build_parser() -> argparse.ArgumentParser:
    parser, commands = manage.parser("image")
    undo = manage.command(commands, "restore", "Restore a deleted image, while delayed_delete keeps its data.")
    undo.add_argument("image", help="its id")
    metadefs = manage.command(commands, "metadefs", "Administer metadata definitions.").add_subparsers(
        dest="verb", required=True, title="commands", metavar="COMMAND")
    add = manage.command(metadefs, "load", "Add namespaces from files; existing ones are unchanged.")
    add.add_argument("directory", nargs="?", type=pathlib.Path,
                     help="directory of JSON files with one namespace each; default: the standard catalog")
    add.add_argument("--owner", default="admin",
                     help="id of the project that owns namespaces without an owner (default: %(default)s)")
    return parser


@manage.explained
def main(argv=None) -> int:
    from image.db import images
    from image.service import ImageApi
    args = build_parser().parse_args(argv)
    if args.command == "db":
        return manage.database(ImageApi, "image.db", args)
    service = ImageApi.load(args.state)
    if args.command == "metadefs":
        return _load(service, args)
    try:
        service.db.transact(images.move, args.image, "restore")
    except errors.Error as error:
        return manage.fail(str(error))
    print(f"{args.image}: active")
    return 0


def _load(service, args) -> int:
    from image import catalog
    try:
        with service.db.writer() as connection:
            added, kept = catalog.load(connection, args.directory or catalog.STANDARD, args.owner)
    except errors.Error as error:
        return manage.fail(str(error))
    print(f"added: {', '.join(added) or 'none'}; existing: {len(kept)}")
    return 0
