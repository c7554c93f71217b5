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
        """A stream of an image's bytes: its copy in the cache, or what its locations give, which the cache keeps then.

        :raises ServiceUnavailable: no location gives them
        """
        kept = self.cache.open(row)
        if kept is not None:
            return kept
        source = locations.open_first(row, self.stores, self.conf.image)
        return self.cache.keep(row, source) if self._far(row) else source

    def _far(self, row: dict) -> bool:
        """Whether an image's data is nowhere among this host's files."""
        return not any(name in self.stores.all and self.stores.all[name].kind == "file" for name in locations.held(row))

    def reset(self, image_id: str, action: str, stores: list[str], **values) -> None:
        """Put an image back to where it has no data, as ``action`` says, and take away what came of it. Repeatable.

        The row keeps in mind which stores did not answer: the cleanup asks them again.
        """
        self.incoming.drop(image_id)
        left = self.stores.delete_data(image_id, stores)
        try:
            self.db.transact(images.move, image_id, action, progress={"left": left} if left else None, **values)
        except (errors.NotFound, errors.InvalidState):
            pass  # deleted meanwhile: its owner wanted it gone

    def erase(self, row: dict) -> None:
        """Take away all that there is of an image in state ``deleted``, and then its row. Repeatable.

        Where a store does not answer, the row stays for the cleanup.
        """
        self.incoming.drop(row["id"])
        self.incoming.unstage(row["id"])
        self.cache.drop(row["id"])
        if self.stores.delete_data(row["id"], {*locations.held(row), *images.left(row)}):
            return
        try:
            self.db.transact(images.erased, row["id"])
        except errors.NotFound:
            pass  # the cleanup was faster
