"""Images as block devices of a Ceph pool, each with a protected snapshot ``snap``, from which other services clone.

The libraries are Ceph's own (Debian: python3-rados, python3-rbd), and must be importable.
"""

import contextlib

from common import native
from image.stores import base

_SNAPSHOT = "snap"


class RbdStore(base.Store):
    kind = "rbd"

    def __init__(self, name: str, conf):
        super().__init__(name, conf)
        import rados
        import rbd
        self.rados, self.rbd = rados, rbd
        self.pool = conf.rbd_store_pool

    def describe(self) -> str:
        return "Block devices of a Ceph pool"

    def properties(self) -> dict:
        return {"rbd_store_pool": self.pool, "rbd_store_user": self.conf.rbd_store_user,
                "rbd_store_chunk_size": self.conf.rbd_store_chunk_size}

    def url(self, image_id: str) -> str:
        """Without the cluster's id, which would need a connection."""
        return f"rbd://{self.pool}/{image_id}/{_SNAPSHOT}"

    @contextlib.contextmanager
    def _pool(self):
        """The pool, while it is open. :raises ServiceUnavailable: the cluster does not respond"""
        try:
            cluster = self.rados.Rados(conffile=self.conf.rbd_store_ceph_conf, rados_id=self.conf.rbd_store_user or "admin")
            native.execute(cluster.connect, 10)
        except self.rados.Error as error:
            raise self.away(error) from error
        try:
            with cluster.open_ioctx(self.pool) as pool:
                yield pool
        except self.rados.Error as error:
            raise self.away(error) from error
        finally:
            cluster.shutdown()

    def put(self, image_id: str, source: base.Source) -> None:
        with self._pool() as pool:
            try:
                order = (self.conf.rbd_store_chunk_size << 20).bit_length() - 1
                self.rbd.RBD().create(pool, image_id, source.size, order, old_format=False)
                with self.rbd.Image(pool, image_id) as image:
                    at = 0
                    while chunk := source.read(self.conf.rbd_store_chunk_size << 20):
                        if chunk.strip(b"\0"):  # unwritten parts read as zeros and use no space
                            native.execute(image.write, chunk, at)
                        at += len(chunk)
                    image.create_snap(_SNAPSHOT)
                    image.protect_snap(_SNAPSHOT)
            except self.rbd.Error as error:
                self._remove(pool, image_id)
                raise self.away(error) from error

    def open(self, image_id: str):
        return _Stream(self, image_id)

    def delete(self, image_id: str) -> None:
        with self._pool() as pool:
            try:
                self._remove(pool, image_id)
            except self.rbd.Error as error:
                raise self.away(error) from error

    def _remove(self, pool, image_id: str) -> None:
        try:
            with self.rbd.Image(pool, image_id) as image:
                if any(each["name"] == _SNAPSHOT for each in image.list_snaps()):
                    if image.is_protected_snap(_SNAPSHOT):
                        image.unprotect_snap(_SNAPSHOT)
                    image.remove_snap(_SNAPSHOT)
            native.execute(self.rbd.RBD().remove, pool, image_id)
        except self.rbd.ImageNotFound:
            return

    def stored(self) -> set[str]:
        with self._pool() as pool:
            return set(self.rbd.RBD().list(pool))


class _Stream:
    """:raises NotFound: the pool has no such image"""

    def __init__(self, store: RbdStore, image_id: str):
        self._stack, self._at = contextlib.ExitStack(), 0
        try:
            pool = self._stack.enter_context(store._pool())
            self._image = self._stack.enter_context(store.rbd.Image(pool, image_id, snapshot=_SNAPSHOT, read_only=True))
            self._size = self._image.size()
        except store.rbd.ImageNotFound as error:
            self._stack.close()
            raise store.missing(image_id) from error

    def seek(self, offset: int) -> None:
        self._at = offset

    def read(self, size: int) -> bytes:
        found = native.execute(self._image.read, self._at, min(size, self._size - self._at)) if self._at < self._size else b""
        self._at += len(found)
        return found

    def close(self) -> None:
        self._stack.close()
