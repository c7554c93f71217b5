"""Images on web servers: read-only, with the checks in ``image.web``. Their URLs are in locations, not in this store."""

from common import errors
from image.stores import base


class HttpStore(base.Store):
    kind, read_only = "http", True

    def describe(self) -> str:
        return "Web servers, read-only"

    def url(self, image_id: str) -> str:
        return "http://"

    def put(self, image_id: str, source: base.Source) -> None:
        raise errors.BadRequest(f"Store {self.name} is read-only.")

    def open(self, image_id: str):
        raise self.missing(image_id)

    def delete(self, image_id: str) -> None:
        """The data on a web server is not deleted."""
