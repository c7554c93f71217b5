"""Where the bytes of images are: several stores, of which each image's locations name those that have it."""

import importlib
import logging

from common import conf as conf_module
from common import errors
from image.conf import KIND_OPTS, STORE_OPTS
from image.stores.base import Store

LOG = logging.getLogger(__name__)
_CLASSES = {"file": "FileStore", "http": "HttpStore", "s3": "S3Store", "swift": "SwiftStore", "rbd": "RbdStore"}
# The store's id in what is said of a location of the web, where no store of that kind is configured.
WEB = "web"


class Stores:
    """All configured stores, the heaviest first.

    :param conf: the service's configuration; each store's own group is registered here
    :param default_path: directory of a file store that names none
    :raises ValueError: the configuration names what is not there
    """

    def __init__(self, conf, default_path: str):
        wanted = conf.image.enabled_backends
        known = {name: self._load(conf, name, kind, default_path) for name, kind in wanted.items()}
        places: dict[str, str] = {}
        for name, store in known.items():
            if places.setdefault(store.place(), name) != name:
                raise ValueError(f"stores {places[store.place()]!r} and {name!r} are the same place: {store.place()}")
        self.all = dict(sorted(known.items(), key=lambda item: -item[1].weight))
        writable = [name for name in wanted if not known[name].read_only]
        chosen = conf.image.default_backend or (writable[0] if writable else "")
        if chosen not in writable:
            raise ValueError(f"[image] default_backend {chosen!r} is none of the writable stores: {', '.join(writable)}")
        self.default = known[chosen]
        self.web = next((s.name for s in known.values() if s.kind == "http"), WEB)

    @staticmethod
    def _load(conf, name: str, kind: str, default_path: str) -> Store:
        if kind not in KIND_OPTS:
            raise ValueError(f"[image] enabled_backends: there is no kind of stores {kind!r}")
        conf_module.add_group(conf, name, [*STORE_OPTS, *KIND_OPTS[kind]])
        made = getattr(importlib.import_module(f"image.stores.{kind}"), _CLASSES[kind])
        try:
            return made(name, conf[name], default_path) if kind == "file" else made(name, conf[name])
        except ImportError as error:
            raise ValueError(f"store {name!r} of kind {kind} needs a library that is not installed: {error.name} "
                             f"(doc/image-stores.md says how)") from error

    def get(self, name: str) -> Store:
        """:raises ServiceUnavailable: the store was taken out of the configuration"""
        if name not in self.all:
            raise errors.ServiceUnavailable(part=f"the store {name}", internal="it is not configured")
        return self.all[name]

    def weight(self, name: str) -> int:
        """Of a store, also of one that is not configured any more."""
        return self.all[name].weight if name in self.all else -1

    def writable(self) -> list[str]:
        return [name for name, store in self.all.items() if not store.read_only]

    def choose(self, name: str | None) -> Store:
        """The store that a client asks for. :raises BadRequest: it may not be written to, or is not there"""
        if not name:
            return self.default
        if name not in self.writable():
            raise errors.BadRequest(f"Store for image ({name}) not found, or not one to write to.")
        return self.all[name]

    def delete_data(self, image_id: str, names) -> list[str]:
        """Take an image's data from some stores; those that do not answer, and may have it still. Repeatable."""
        left = []
        for name in names:
            try:
                self.get(name).delete(image_id)
            except errors.ServiceUnavailable as error:
                LOG.warning("store %s may still hold data of image %s: %s", name, image_id, error.internal)
                left.append(name)
        return left
