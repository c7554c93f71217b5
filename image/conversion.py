"""Conversion of imported images to another format."""

import pathlib

from common import conversion, errors, inspector


def applies(disk_format: str, wanted: str) -> bool:
    """Whether images of a format are converted. An ISO image is a boot medium, and is needed in its own format."""
    return bool(wanted) and disk_format != wanted and disk_format in conversion.FORMATS


def convert(source: pathlib.Path, disk_format: str, target: pathlib.Path, wanted: str, *, limit: int, beat) -> None:
    """As ``common.conversion.convert``, once the inspector has accepted the source.

    :param limit: maximum bytes of the file, and of the guest's disk
    """
    header = inspector.check(source, disk_format)
    if header.virtual_bytes > limit:
        raise errors.StepFailed(reason=f"The image's disk is larger than {limit} bytes.")
    conversion.convert(source, disk_format, target, wanted, limit=limit, beat=beat)
