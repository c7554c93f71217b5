"""Metadata of volumes and of snapshots: the same requests for both."""

import dataclasses
import typing

from common import errors, schema, wsgi

_CHECK = schema.compiled(schema.METADATA)
_BODY = schema.obj({"metadata": schema.METADATA}, ["metadata"])


@dataclasses.dataclass(frozen=True)
class Metadata:
    """The requests for the metadata of one kind of row.

    ``read``: (req, id) -> the metadata that there is.
    ``change``: (req, id, edit) -> the metadata after ``edit(old)`` was written.
    """

    read: typing.Callable
    change: typing.Callable

    def index(self, req, id):
        return {"metadata": self.read(req, id)}

    def merge(self, req, id, body):
        return {"metadata": self._write(req, id, lambda old: {**old, **body["metadata"]})}

    def replace(self, req, id, body):
        return {"metadata": self._write(req, id, lambda old: body["metadata"])}

    def show(self, req, id, key):
        return {"meta": {key: _item(self.read(req, id), key)}}

    def update(self, req, id, key, body):
        if set(body["meta"]) != {key}:
            raise errors.BadRequest("The key in the URL and in the body must be the same.")
        self._write(req, id, lambda old: {**old, **body["meta"]})
        return {"meta": body["meta"]}

    def delete(self, req, id, key):
        def edit(old: dict) -> dict:
            _item(old, key)
            return {k: v for k, v in old.items() if k != key}
        self._write(req, id, edit)

    def _write(self, req, id, edit) -> dict:
        def checked(old: dict) -> dict:
            changed = edit(old)
            _CHECK(changed)
            return changed
        return self.change(req, id, checked)


def _item(metadata: dict, key: str) -> str:
    if key not in metadata:
        raise errors.NotFound(f"Metadata item was not found: {key}")
    return metadata[key]


def routes(path: str, route: typing.Callable, read: typing.Callable, change: typing.Callable) -> list:
    """The routes below ``path``, each made by ``route(method, path, handler)``; ``read``, ``change``: see Metadata."""
    kind, item = Metadata(read, change), path + "/{key}"
    whole, one = wsgi.body(_BODY), wsgi.body(schema.obj({"meta": schema.METADATA}, ["meta"]))
    return [route("GET", path, kind.index), route("POST", path, whole(kind.merge)),
            route("PUT", path, whole(kind.replace)), route("GET", item, kind.show),
            route("PUT", item, one(kind.update)), route("DELETE", item, kind.delete)]
