"""image-manage: schema."""

from common import manage


def main(argv=None) -> int:
    from image.service import ImageApi
    args = manage.parser("image")[0].parse_args(argv)
    return manage.database(ImageApi, "image.db", args)
