"""The image daemon."""

from common import errors
from common.service import Service
from image import conf, locations, policies
from image.cache import Cache, Prefetcher
from image.cleanup import Cleanup
from image.db import images
from image.imports import Imports
from image.incoming import Incoming
from image.protections import Protections
from image.quota import Quota
from image.stores import Stores


class ImageApi(Service):
    name, conf_name, db_name = "image-api", "image", "image"
    api, default_port, opts = "image", 9292, conf.OPTS
    optional_ports = ("registry",)

    def setup(self) -> None:
        self.policy = policies.Policy("image", policies.RULES, self.conf)
        path = self.conf.image.store_path or f"{self.conf.state_path}/images"
        self.incoming = Incoming(path)
        self.stores = Stores(self.conf, path)
        self.cache = Cache(self.conf.image.image_cache_dir, self.conf.image.image_cache_max_size)
        self.protections = Protections(self.conf.image.property_protection_file)
        self.quota = Quota(self)
        self.imports = Imports(self)
        self.periodics.append(Cleanup(self))
        if self.cache.path is not None:
            self.periodics.append(Prefetcher(self))

    @classmethod
    def extra_ports(cls, conf) -> dict[str, int]:
        return {"registry": 9191 + (conf.bind_port - cls.default_port if conf.bind_port else 0)}

    def open(self, row: dict):
        """A stream of an image's data: its copy in the cache, or a location, which is then copied to the cache.

        :raises ServiceUnavailable: no location responds
        """
        kept = self.cache.open(row)
        if kept is not None:
            return kept
        source = locations.open_first(row, self.stores, self.conf.image)
        return self.cache.copying(row, source) if self._far(row) else source

    def _far(self, row: dict) -> bool:
        """Whether no copy of an image is in this host's files."""
        return not any(name in self.stores.all and self.stores.all[name].kind == "file" for name in locations.store_names(row))

    def reset(self, image_id: str, action: str, stores: list[str], **values) -> None:
        """Restore the state without data with ``action``, and delete partial data. Repeatable.

        Stores that did not respond are recorded in the row: the cleanup retries.
        """
        self.incoming.drop(image_id)
        left = self.stores.delete_data(image_id, stores)
        try:
            self.db.transact(images.move, image_id, action, progress={"left": left} if left else None, **values)
        except (errors.NotFound, errors.InvalidState):
            pass  # deleted meanwhile, on request

    def erase(self, row: dict) -> None:
        """Erase all data of an image in state ``deleted``, then its row. Repeatable.

        If a store does not respond, the row stays for the cleanup.
        """
        self.incoming.drop(row["id"])
        self.incoming.unstage(row["id"])
        self.cache.drop(row["id"])
        if self.stores.delete_data(row["id"], {*locations.store_names(row), *images.undeleted_stores(row)}):
            return
        try:
            self.db.transact(images.erased, row["id"])
        except errors.NotFound:
            pass  # the cleanup was faster
