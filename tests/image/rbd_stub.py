"""Stand-ins of Ceph's two libraries, as far as the driver uses them, with pools in memory. The real ones: PILEUS_CEPH_CONF."""

import contextlib
import types

POOLS: dict[str, dict] = {}


class Error(Exception):
    pass


class ImageNotFound(Error):
    pass


class _Disk:
    def __init__(self, size: int):
        self.data, self.snaps = bytearray(size), {}


class Rados:
    def __init__(self, conffile, rados_id):
        self.conffile = conffile

    def connect(self, timeout):
        if self.conffile == "/nowhere":
            raise Error("no cluster")

    def shutdown(self):
        pass

    @contextlib.contextmanager
    def open_ioctx(self, pool):
        yield POOLS.setdefault(pool, {})


class RBD:
    def create(self, pool, name, size, order, old_format):
        if name in pool:
            raise Error("exists")
        assert order >= 20 and not old_format
        pool[name] = _Disk(size)

    def remove(self, pool, name):
        if name not in pool:
            raise ImageNotFound(name)
        if pool[name].snaps:
            raise Error("it has snapshots")
        del pool[name]

    def list(self, pool):
        return list(pool)


class Image:
    def __init__(self, pool, name, snapshot=None, read_only=False):
        if name not in pool or snapshot and snapshot not in pool[name].snaps:
            raise ImageNotFound(name)
        self.disk, self.read_only = pool[name], read_only

    def __enter__(self):
        return self

    def __exit__(self, *why):
        pass

    def write(self, data, offset):
        assert not self.read_only and offset + len(data) <= len(self.disk.data)
        self.disk.data[offset:offset + len(data)] = data

    def read(self, offset, length):
        return bytes(self.disk.data[offset:offset + length])

    def size(self):
        return len(self.disk.data)

    def list_snaps(self):
        return [{"name": name} for name in self.disk.snaps]

    def create_snap(self, name):
        self.disk.snaps[name] = False

    def protect_snap(self, name):
        self.disk.snaps[name] = True

    def is_protected_snap(self, name):
        return self.disk.snaps[name]

    def unprotect_snap(self, name):
        self.disk.snaps[name] = False

    def remove_snap(self, name):
        if self.disk.snaps.pop(name):
            raise Error("it is protected")


def modules() -> dict:
    """{name: module} to put into ``sys.modules``."""
    return {"rados": types.SimpleNamespace(Rados=Rados, Error=Error),
            "rbd": types.SimpleNamespace(RBD=RBD, Image=Image, Error=Error, ImageNotFound=ImageNotFound)}
