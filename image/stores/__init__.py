"""Stores: backends that contain the data of images. The locations of an image name the stores that have it."""

import importlib
import logging

from common import conf as conf_module
from common import errors
from common.conf import ConfigError
from image.conf import KIND_OPTS, STORE_OPTS
from image.stores.base import Store

LOG = logging.getLogger(__name__)
_CLASSES = {"file": "FileStore", "http": "HttpStore", "s3": "S3Store", "swift": "SwiftStore", "rbd": "RbdStore"}
# The store's id in web locations, if no http store is configured.
WEB = "web"


class Stores:
    """All configured stores, greatest weight first.

    :param conf: the service's configuration; the options of each store are registered here
    :param default_path: directory of file stores without one
    :raises ConfigError: invalid configuration
    """

    def __init__(self, conf, default_path: str):
        wanted = conf.image.enabled_backends
        known = {name: self._load(conf, name, kind, default_path) for name, kind in wanted.items()}
        places: dict[str, str] = {}
        for name, store in known.items():
            if places.setdefault(store.place(), name) != name:
                raise ConfigError(f"stores {places[store.place()]!r} and {name!r} use the same storage: {store.place()}")
        self.all = dict(sorted(known.items(), key=lambda item: -item[1].weight))
        writable = [name for name in wanted if not known[name].read_only]
        chosen = conf.image.default_backend or (writable[0] if writable else "")
        if chosen not in writable:
            raise ConfigError(f"[image] default_backend {chosen!r} is none of the writable stores: {', '.join(writable)}")
        self.default = known[chosen]
        self.web = next((s.name for s in known.values() if s.kind == "http"), WEB)

    @staticmethod
    def _load(conf, name: str, kind: str, default_path: str) -> Store:
        if kind not in KIND_OPTS:
            raise ConfigError(f"[image] enabled_backends: unknown type of store {kind!r}")
        conf_module.add_group(conf, name, [*STORE_OPTS, *KIND_OPTS[kind]])
        made = getattr(importlib.import_module(f"image.stores.{kind}"), _CLASSES[kind])
        try:
            return made(name, conf[name], default_path) if kind == "file" else made(name, conf[name])
        except ImportError as error:
            raise ConfigError(f"store {name!r} of kind {kind} needs a library that is not installed: {error.name} "
                              f"(doc/image-stores.md says how)") from error

    def get(self, name: str) -> Store:
        """:raises ServiceUnavailable: the store has been removed from the configuration"""
        if name not in self.all:
            raise errors.ServiceUnavailable(part=f"the store {name}", internal="it is not configured")
        return self.all[name]

    def weight(self, name: str) -> int:
        """The weight of a store, even if it is no longer configured."""
        return self.all[name].weight if name in self.all else -1

    def writable(self) -> list[str]:
        return [name for name, store in self.all.items() if not store.read_only]

    def choose(self, name: str | None) -> Store:
        """The store that a client requests. :raises BadRequest: it is read-only or does not exist"""
        if not name:
            return self.default
        if name not in self.writable():
            raise errors.BadRequest(f"Store for image ({name}) not found, or read-only.")
        return self.all[name]

    def delete_data(self, image_id: str, names) -> list[str]:
        """Delete an image's data from some stores; returns those that did not respond. Repeatable."""
        left = []
        for name in names:
            try:
                self.get(name).delete(image_id)
            except errors.ServiceUnavailable as error:
                LOG.warning("store %s may still hold data of image %s: %s", name, image_id, error.internal)
                left.append(name)
        return left
