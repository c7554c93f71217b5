"""Tags of an image."""

import typing

from common.calls import Call
from image import access
from image.db import images


def change(call: Call, id: str, edit: typing.Callable[[set[str]], set[str]]) -> None:
    """Replace the tags of an image by what ``edit`` returns for them."""
    with call.svc.db.writer() as connection:
        row = access.image(call, connection, id, "modify_image")
        images.update(connection, id, {"tags": sorted(edit(set(row["tags"])))})
