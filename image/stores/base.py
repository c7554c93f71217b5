"""The interface of stores. A store contains data by image id; it checks no permissions."""

import errno
import os
import pathlib
import typing

from common import errors, native

CHUNK = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def unwritten(error: OSError) -> Exception:
    """The message for data that could not be written to a disk of the image service."""
    if error.errno in _FULL:
        return errors.StorageFull("There is not enough space in the image store. Delete unused images, or ask the operator "
                                  "for more space.", internal=str(error))
    return error if error.errno is None else errors.ServiceUnavailable(part="the image store", internal=str(error))


class Source:
    """A file that is put into a store: its path, its size, and its data as a stream.

    :param beat: called at each read, so that the operation is not considered dead
    """

    def __init__(self, path: pathlib.Path, beat: typing.Callable[[], None] = lambda: None):
        self.path, self.beat = path, beat
        self.size = path.stat().st_size
        self._file = open(path, "rb")

    def read(self, size: int = -1) -> bytes:
        self.beat()
        return self._file.read(size)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self._file.close()


class Store:
    """A driver. ``put`` and ``delete`` are repeatable; after ``put`` was killed, ``delete`` deletes its partial data.

    :param name: the store's id in the API
    :param conf: the group of its options
    """

    kind = ""
    read_only = False

    def __init__(self, name: str, conf):
        self.name, self.conf = name, conf
        self.weight, self.description = conf.weight, conf.store_description or self.describe()

    def describe(self) -> str:
        raise AssertionError("a store must implement description")

    def properties(self) -> dict:
        """Properties for administrators; no secrets."""
        return {}

    def url(self, image_id: str) -> str:
        """The URL of the image in the store, for its locations."""
        raise AssertionError("a store must implement url")

    def place(self) -> str:
        """An identifier of the storage. No two stores may have the same: each would delete the other's data."""
        return self.url("")

    def put(self, image_id: str, source: Source) -> None:
        """:raises StorageFull: there is no space
        :raises ServiceUnavailable: the store does not respond. No data remains.
        """
        raise AssertionError("a store must implement put")

    def open(self, image_id: str):
        """A stream: ``read(n)``, ``seek(offset)``, ``close()``.

        :raises NotFound: the store has no such image
        :raises ServiceUnavailable: it does not respond
        """
        raise AssertionError("a store must implement open")

    def delete(self, image_id: str) -> None:
        """Repeatable. :raises ServiceUnavailable: the store does not respond"""
        raise AssertionError("a store must implement delete")

    def stored(self) -> set[str]:
        """Ids of the images in the store, if it can list them."""
        return set()

    def missing(self, image_id: str) -> errors.NotFound:
        return errors.NotFound(f"The data of image {image_id} is missing from store {self.name}.")

    def away(self, error: Exception) -> errors.ServiceUnavailable:
        return errors.ServiceUnavailable(part=f"the store {self.name}", internal=f"{type(error).__name__}: {error}")


class Ranged:
    """A stream of a remote object, opened at the first read, at the offset set by ``seek``.

    :param start: ``start(offset)`` returns an object with ``read(n)`` and ``close()``
    """

    def __init__(self, start):
        self._start, self._offset, self._body = start, 0, None

    def seek(self, offset: int) -> None:
        self.close()
        self._offset, self._body = offset, None

    def read(self, size: int) -> bytes:
        if self._body is None:
            self._body = self._start(self._offset)
        return self._body.read(size)

    def close(self) -> None:
        if self._body is not None:
            self._body.close()


def copy(source: Source, path: pathlib.Path) -> None:
    """Copy a file; on failure there is no target."""
    part = path.with_suffix(".put")
    try:
        with open(part, "wb") as out:
            while chunk := source.read(CHUNK):
                native.execute(out.write, chunk)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
