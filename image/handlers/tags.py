"""Tags of an image."""

from common import errors
from image import access
from image.db import images


def _change(req, id, edit) -> None:
    with req.svc.db.writer() as connection:
        row = access.image(req, connection, id, "modify_image")
        images.update(connection, id, {"tags": sorted(edit(set(row["tags"])))})


def add(req, id, tag):
    if len(tag) > 255:
        raise errors.BadRequest("A tag may have at most 255 characters.")

    def edit(tags):
        if len(tags | {tag}) > 128:
            raise errors.TooLarge("An image may have at most 128 tags.")
        return tags | {tag}
    _change(req, id, edit)


def remove(req, id, tag):
    def edit(tags):
        if tag not in tags:
            raise errors.NotFound(f"Image {id} has no tag {tag}.")
        return tags - {tag}
    _change(req, id, edit)
