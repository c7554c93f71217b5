"""image-manage: schema, and images that were deleted but not yet scrubbed."""

from common import errors, manage


def main(argv=None) -> int:
    from image.db import images
    from image.service import ImageApi
    parser, commands = manage.parser("image")
    undo = commands.add_parser("restore", help="bring back a deleted image, while delayed_delete keeps its data")
    undo.add_argument("image", help="its id")
    args = parser.parse_args(argv)
    if args.command == "db":
        return manage.database(ImageApi, "image.db", args)
    service = ImageApi.load(args.state)
    try:
        with service.db.writer() as connection:
            images.move(connection, args.image, "restore")
    except errors.Error as error:
        return manage.fail(str(error))
    print(f"{args.image}: active")
    return 0
