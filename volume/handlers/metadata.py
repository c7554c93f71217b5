"""Metadata of volumes and of snapshots: both have the same requests."""

import dataclasses
import typing

from common import errors, schema, wsgi
from volume.schemas import metadata as schemas

_CHECK = schema.compiled(schema.METADATA)


@dataclasses.dataclass(frozen=True)
class Metadata:
    """The requests for the metadata of one kind of row.

    :param read: (call, id, rule) -> the current metadata
    :param change: (call, id, rules, edit) -> the metadata after ``edit(old)`` was written

    The others are the rules of the requests: show, add, replace all items or one, delete an item.
    """

    read: typing.Callable
    change: typing.Callable
    get: str
    create: str
    update: str
    delete: str

    def index(self, req, id):
        return {"metadata": self.read(req.call, id, self.get)}

    def merge(self, req, id, body):
        return {"metadata": self._write(req, id, (self.create,), lambda old: {**old, **body["metadata"]})}

    def replace(self, req, id, body):
        return {"metadata": self._write(req, id, (self.update,), lambda old: body["metadata"])}

    def show_item(self, req, id, key):
        return {"meta": {key: _item(self.read(req.call, id, self.get), key)}}

    def update_item(self, req, id, key, body):
        if set(body["meta"]) != {key}:
            raise errors.BadRequest("The key in the URL and in the body must be the same.")
        self._write(req, id, (self.update,), lambda old: {**old, **body["meta"]})
        return {"meta": body["meta"]}

    def delete_item(self, req, id, key):
        def edit(old: dict) -> dict:
            _item(old, key)
            return {k: v for k, v in old.items() if k != key}
        self._write(req, id, (self.get, self.delete), edit)

    def _write(self, req, id, rules: tuple[str, ...], edit) -> dict:
        def checked(old: dict) -> dict:
            changed = edit(old)
            _CHECK(changed)
            return changed
        return self.change(req.call, id, rules, checked)


def _item(metadata: dict, key: str) -> str:
    if key not in metadata:
        raise errors.NotFound(f"Metadata item was not found: {key}")
    return metadata[key]


def routes(path: str, route: typing.Callable, of: Metadata) -> list:
    """The routes below ``path``; ``route(method, path, handler)`` creates each."""
    item = path + "/{key}"
    whole, one = wsgi.body(schemas.BODY), wsgi.body(schemas.ITEM)
    return [route("GET", path, of.index), route("POST", path, whole(of.merge)), route("PUT", path, whole(of.replace)),
            route("GET", item, of.show_item), route("PUT", item, one(of.update_item)), route("DELETE", item, of.delete_item)]
