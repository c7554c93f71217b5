"""Images that lie on the web: only read, by the rules of ``image.web``. What names them are locations, not this store."""

from common import errors
from image.stores import base


class HttpStore(base.Store):
    kind, read_only = "http", True

    def describe(self) -> str:
        return "Servers of the web, which are only read"

    def url(self, image_id: str) -> str:
        return "http://"

    def put(self, image_id: str, source: base.Source) -> None:
        raise errors.BadRequest(f"Store {self.name} is only read.")

    def open(self, image_id: str):
        raise self.missing(image_id)

    def delete(self, image_id: str) -> None:
        """What lies there is not ours."""
