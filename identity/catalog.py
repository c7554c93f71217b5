"""The catalog and the roles in tokens, which nearly every response needs, and which rarely change.

Cached in memory. Changes by this process are visible in the next request, those by other workers after ``CACHE_S``.
"""

import dataclasses
import hashlib
import json
import pathlib
import re
import threading
import time

import sqlalchemy as sa

from common import errors
from common.db import many
from identity.db import endpoint_filter, models

CACHE_S = 0.5
SERVICES, ENDPOINTS, ROLES = models.services, models.endpoints, models.roles


_PROJECT = re.compile(r"[$%]\((project_id|tenant_id)\)s")
_LINE = re.compile(r"catalog\.([^.\s]+)\.([^.\s]+)\.(name|publicURL|internalURL|adminURL)\s*=\s*(.*)")


def templated(path: str) -> list[dict]:
    """Endpoints with their services, in the format of the tables, from lines ``catalog.REGION.TYPE.publicURL = URL``
    (and internalURL, adminURL, name), the file that Keystone's templated catalog reads.

    :raises Error: the file cannot be read, or a line is invalid
    """
    found: dict[tuple[str, str], dict[str, str]] = {}
    try:
        lines = pathlib.Path(path).read_text().splitlines()
    except OSError as error:
        raise errors.Error("The catalog cannot be read.", internal=str(error)) from error
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = _LINE.fullmatch(line.strip())
        if parts is None:
            raise errors.Error("The catalog cannot be read.", internal=f"{path}, line {number}: {line!r}")
        found.setdefault((parts[2], parts[1]), {})[parts[3]] = parts[4].strip()

    def id_of(*words: str) -> str:
        return hashlib.sha256("/".join(words).encode()).hexdigest()[:32]
    return [{"service": id_of(kind), "type": kind, "name": said.get("name", kind), "id": id_of(kind, region, interface),
             "interface": interface, "region_id": region, "url": said[f"{interface}URL"]}
            for (kind, region), said in sorted(found.items()) for interface in ("admin", "internal", "public")
            if f"{interface}URL" in said]


@dataclasses.dataclass
class Cached:
    at: float  # time.monotonic()
    rows: list[dict]  # endpoints with their services
    roles: dict[str, str]  # {name: id}
    selecting: set[str]  # projects with their own selection of endpoints
    encoded: dict[str | None, bytes] = dataclasses.field(default_factory=dict)  # by project


class Catalog:
    """:param db: the identity database; its writes invalidate the cache
    :param template: a file to use instead of the tables' catalog, see ``templated``; it is re-read as often as the
        tables
    """

    def __init__(self, db, template: str | None = None):
        self.db, self.template = db, template
        self._lock = threading.Lock()
        self._writes = 0
        self._cached: Cached | None = None
        db.after_write.append(self.invalidate)

    def invalidate(self) -> None:
        with self._lock:
            self._writes += 1
            self._cached = None

    def _current(self) -> Cached:
        with self._lock:
            cached, writes = self._cached, self._writes
        if cached is not None and time.monotonic() - cached.at < CACHE_S:
            return cached
        with self.db.reader() as connection:
            selecting = sa.union(sa.select(endpoint_filter.DIRECT.c.project_id), sa.select(endpoint_filter.BY_GROUP.c.project_id))
            roles = connection.execute(sa.select(ROLES.c.name, ROLES.c.id).where(ROLES.c.domain_id == "")).all()
            cached = Cached(time.monotonic(), templated(self.template) if self.template else self._rows(connection, sa.true()),
                        dict(roles), set() if self.template else set(connection.execute(selecting).scalars()))
        with self._lock:
            if self._writes == writes:  # otherwise it may be older than that write
                self._cached = cached
        return cached

    @staticmethod
    def _rows(connection, seen) -> list[dict]:
        return many(connection, sa.select(
            SERVICES.c.id.label("service"), SERVICES.c.type, SERVICES.c.name, ENDPOINTS.c.id, ENDPOINTS.c.interface,
            ENDPOINTS.c.region_id, ENDPOINTS.c.url).join(ENDPOINTS, ENDPOINTS.c.service_id == SERVICES.c.id)
            .where(SERVICES.c.enabled, ENDPOINTS.c.enabled, seen).order_by(SERVICES.c.type, ENDPOINTS.c.interface))

    def roles(self, names) -> list[dict]:
        """[{"id", "name"}] of the roles of a token, by name."""
        ids = self._current().roles
        return [{"id": ids[name], "name": name} for name in sorted(names) if name in ids]

    def of(self, project_id: str | None) -> list[dict]:
        """The services with their endpoints, the project's id filled into the URLs."""
        return self._of(project_id, self._current())

    def encoded(self, project_id: str | None) -> bytes:
        """``of`` as JSON, cached per project."""
        cached = self._current()
        if project_id not in cached.encoded:
            cached.encoded[project_id] = json.dumps(self._of(project_id, cached), separators=(",", ":")).encode()
        return cached.encoded[project_id]

    def _of(self, project_id: str | None, cached: Cached) -> list[dict]:
        rows = cached.rows
        if project_id in cached.selecting:
            with self.db.reader() as connection:
                rows = self._rows(connection, endpoint_filter.seen(connection, project_id))
        found: dict[str, dict] = {}
        for row in rows:
            url = _PROJECT.sub(project_id or "", row["url"]) if ")s" in row["url"] else row["url"]
            entry = found.setdefault(row["service"], {"id": row["service"], "type": row["type"], "name": row["name"],
                                                      "endpoints": []})
            entry["endpoints"].append({"id": row["id"], "interface": row["interface"], "region": row["region_id"],
                                       "region_id": row["region_id"], "url": url})
        return list(found.values())
