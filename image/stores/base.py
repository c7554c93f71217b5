"""What every store can do. A store keeps the bytes of images, each by its image's id; who may have them is not its concern."""

import errno
import os
import pathlib
import typing

from common import errors, native

CHUNK = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def unwritten(error: OSError) -> Exception:
    """What to say of data that could not be written to a disk of the image service."""
    if error.errno in _FULL:
        return errors.StorageFull("There is not enough space in the image store. Delete images that are not needed any more, "
                                  "or ask the operator for space.", internal=str(error))
    return error if error.errno is None else errors.ServiceUnavailable(part="the image store", internal=str(error))


class Source:
    """A file that is put into a store: its path, its size, and its bytes as a stream that says that it is being read.

    :param beat: called at each read, so that nobody takes who reads for dead
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
    """A driver. ``put`` and ``delete`` may be repeated; ``put`` may be killed, and then ``delete`` takes away what there is.

    :param name: the store's id, by which clients name it
    :param conf: the group of its options
    """

    kind = ""
    read_only = False

    def __init__(self, name: str, conf):
        self.name, self.conf = name, conf
        self.weight, self.description = conf.weight, conf.store_description or self.describe()

    def describe(self) -> str:
        raise AssertionError("a store must say what it is")

    def properties(self) -> dict:
        """What administrators are told of it: no secrets."""
        return {}

    def url(self, image_id: str) -> str:
        """Where the store has an image, as locations name it."""
        raise AssertionError("a store must say where an image is")

    def place(self) -> str:
        """What no two stores may share: each would take from the other what it deletes."""
        return self.url("")

    def put(self, image_id: str, source: Source) -> None:
        """:raises StorageFull: there is no room; :raises ServiceUnavailable: the store does not answer. Nothing is left then."""
        raise AssertionError("a store must take images")

    def open(self, image_id: str):
        """A stream: ``read(n)``, ``seek(offset)``, ``close()``.

        :raises NotFound: the store has no such image; :raises ServiceUnavailable: it does not answer
        """
        raise AssertionError("a store must give what it took")

    def delete(self, image_id: str) -> None:
        """Repeatable. :raises ServiceUnavailable: the store does not answer"""
        raise AssertionError("a store must forget what it took")

    def stored(self) -> set[str]:
        """Ids of the images that it has, where that can be told."""
        return set()

    def missing(self, image_id: str) -> errors.NotFound:
        return errors.NotFound(f"The data of image {image_id} is missing from store {self.name}.")

    def away(self, error: Exception) -> errors.ServiceUnavailable:
        return errors.ServiceUnavailable(part=f"the store {self.name}", internal=f"{type(error).__name__}: {error}")


class Ranged:
    """A stream of an object that is read over the network, opened when first read: at the offset that was sought.

    :param start: ``start(offset)`` gives something with ``read(n)`` and ``close()``
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
    """A file's bytes into another, whole or not at all."""
    part = path.with_suffix(".put")
    try:
        with open(part, "wb") as out:
            while chunk := source.read(CHUNK):
                native.execute(out.write, chunk)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
