"""Tags of an image."""

from common import errors
from image.services import tags as service


def add(req, id, tag):
    if len(tag) > 255:
        raise errors.BadRequest("A tag may have at most 255 characters.")

    def edit(tags):
        if len(tags | {tag}) > 128:
            raise errors.TooLarge("An image may have at most 128 tags.")
        return tags | {tag}
    service.change(req.call, id, edit)


def remove(req, id, tag):
    def edit(tags):
        if tag not in tags:
            raise errors.NotFound(f"Image {id} has no tag {tag}.")
        return tags - {tag}
    service.change(req.call, id, edit)
