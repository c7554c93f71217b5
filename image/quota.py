"""Quotas of projects, from the identity service's registered limits (``use_keystone_limits``) and project limits.

The names are OpenStack's: ``image_count_total``, ``image_count_uploading``, ``image_size_total`` and
``image_stage_total``; sizes are in MiB. As there, sizes are checked before data arrives: a project that is not over its
limit may exceed it once, since the size is not known in advance.
"""

import sqlalchemy as sa

from common import errors, quotas
from common.rest import path
from image.db import images
from image.db.models import images as TABLE

COUNT, UPLOADING, SIZE, STAGED = "image_count_total", "image_count_uploading", "image_size_total", "image_stage_total"
NAMES = (SIZE, STAGED, COUNT, UPLOADING)
_BUSY = ("saving", "uploading", "importing")


class Quota:
    """:param service: the image service"""

    def __init__(self, service):
        self.service = service

    def limits(self, project_id: str) -> dict[str, int]:
        """{name: maximum}; -1: no limit. Requested each time: a changed limit takes effect at once, as in OpenStack.

        :raises ServiceUnavailable: the identity service does not respond
        """
        conf = self.service.conf.image
        own = {COUNT: conf.quota_images} if conf.quota_images >= 0 else {}
        if not conf.use_keystone_limits:
            return {**dict.fromkeys(NAMES, -1), **own}
        return self._ask(project_id)

    def limits_of(self, image_id: str) -> dict[str, int]:
        """The same, for the project that owns an image. :raises NotFound: there is no such image"""
        if not self.service.conf.image.use_keystone_limits:
            return self.limits("")
        with self.service.db.reader() as connection:
            owner = images.get(connection, image_id)["owner"]
        return self.limits(owner or "")

    def _ask(self, project_id: str) -> dict[str, int]:
        """A limit that is not registered is 0, as in oslo.limit."""
        rest = self.service.rest
        registered = rest.request("GET", "identity", path("/v3/registered_limits"))["registered_limits"]
        own = rest.request("GET", "identity", path("/v3/limits", query={"project_id": project_id}))["limits"]
        found = {**{each["resource_name"]: each["default_limit"] for each in registered},
                 **{each["resource_name"]: each["resource_limit"] for each in own if each["project_id"] == project_id}}
        return {name: found.get(name, 0) for name in NAMES}

    def usage(self, connection, project_id: str) -> dict[str, int]:
        """{name: usage of a project}. One statement."""
        def mib(where):
            return sa.func.coalesce(sa.func.sum(sa.case((where, TABLE.c.size), else_=0)), 0)
        staged = TABLE.c.status == "uploading"
        row = connection.execute(sa.select(
            mib(sa.not_(staged)), mib(staged), sa.func.count(),
            sa.func.coalesce(sa.func.sum(sa.case((TABLE.c.status.in_(_BUSY), 1), else_=0)), 0)).where(
                TABLE.c.owner == project_id, images.THERE)).one()
        return {SIZE: int(row[0]) >> 20, STAGED: int(row[1]) >> 20, COUNT: row[2], UPLOADING: int(row[3])}

    def check(self, connection, project_id: str, limits: dict[str, int], *names: str) -> None:
        """:param limits: as returned by ``limits``, requested before the transaction
        :raises TooLarge: the project would be, or for sizes is, over one of these limits
        """
        bounded = [name for name in names if limits[name] >= 0]
        if not bounded:
            return
        quotas.lock_owner(connection, project_id)
        used = self.usage(connection, project_id)
        for name in bounded:
            delta = int(name in (COUNT, UPLOADING))
            if used[name] + delta > limits[name]:
                raise errors.TooLarge(f"Project {project_id} is over a limit for [Resource {name} is over limit of "
                                      f"{limits[name]} due to current usage {used[name]} and delta {delta}]")
