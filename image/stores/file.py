"""Images as files in one directory, one file per image."""

import os
import pathlib

from common import errors
from image.stores import base


class FileStore(base.Store):
    """The data of an image is ``<path>/<id>``."""

    kind = "file"

    def __init__(self, name: str, conf, default_path: str):
        super().__init__(name, conf)
        self.path = pathlib.Path(conf.filesystem_store_datadir or default_path)
        self.path.mkdir(parents=True, exist_ok=True)

    def describe(self) -> str:
        return "Files on the image service's host"

    def properties(self) -> dict:
        return {"data_dir": str(self.path), "chunk_size": base.CHUNK}

    def _file(self, image_id: str) -> pathlib.Path:
        if not all(c in "0123456789abcdef-" for c in image_id.lower()):
            raise errors.NotFound(resource="image", id=image_id)
        return self.path / image_id

    def url(self, image_id: str) -> str:
        """With the store's name instead of the path, which only administrators may know."""
        return f"file:///{self.name}/{image_id}"

    def place(self) -> str:
        return str(self.path.resolve())

    def put(self, image_id: str, source: base.Source) -> None:
        target = self._file(image_id)
        try:
            if source.path.parent == self.path:
                # Incoming data is in this directory: hard-link it; the first name is removed afterwards.
                target.unlink(missing_ok=True)
                os.link(source.path, target)
            else:
                base.copy(source, target)
        except OSError as error:
            raise base.unwritten(error) from error

    def open(self, image_id: str):
        try:
            return open(self._file(image_id), "rb")
        except FileNotFoundError:
            raise self.missing(image_id) from None

    def delete(self, image_id: str) -> None:
        self._file(image_id).unlink(missing_ok=True)
        self._file(image_id).with_suffix(".put").unlink(missing_ok=True)

    def stored(self) -> set[str]:
        return {p.stem for p in self.path.iterdir() if p.is_file() and p.suffix in ("", ".put")}
