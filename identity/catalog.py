"""The catalog and the roles as tokens show them: asked for by nearly every answer, and hardly ever changed.

Kept in memory. What this process writes is seen by the next request; what another worker writes after ``KEPT_S``.
"""

import dataclasses
import json
import threading
import time

import sqlalchemy as sa

from common.db import many
from identity.db import endpoint_filter, models

KEPT_S = 0.5
SERVICES, ENDPOINTS, ROLES = models.services, models.endpoints, models.roles


@dataclasses.dataclass
class Kept:
    at: float  # time.monotonic()
    rows: list[dict]  # endpoints with their services
    roles: dict[str, str]  # {name: id}
    selecting: set[str]  # projects that have a selection of their own
    encoded: dict[str | None, bytes] = dataclasses.field(default_factory=dict)  # by project


class Catalog:
    """:param db: the identity database; its writes are noticed"""

    def __init__(self, db):
        self.db = db
        self._lock = threading.Lock()
        self._writes = 0
        self._kept: Kept | None = None
        db.after_write.append(self.forget)

    def forget(self) -> None:
        with self._lock:
            self._writes += 1
            self._kept = None

    def _current(self) -> Kept:
        with self._lock:
            kept, writes = self._kept, self._writes
        if kept is not None and time.monotonic() - kept.at < KEPT_S:
            return kept
        with self.db.reader() as connection:
            selecting = sa.union(sa.select(endpoint_filter.DIRECT.c.project_id), sa.select(endpoint_filter.BY_GROUP.c.project_id))
            roles = connection.execute(sa.select(ROLES.c.name, ROLES.c.id).where(ROLES.c.domain_id == "")).tuples().all()
            kept = Kept(time.monotonic(), self._rows(connection, sa.true()), dict(roles),
                        set(connection.execute(selecting).scalars()))
        with self._lock:
            if self._writes == writes:  # else it may be from before that write
                self._kept = kept
        return kept

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
        """``of`` as JSON, made once for a project while it stands."""
        kept = self._current()
        if project_id not in kept.encoded:
            kept.encoded[project_id] = json.dumps(self._of(project_id, kept), separators=(",", ":")).encode()
        return kept.encoded[project_id]

    def _of(self, project_id: str | None, kept: Kept) -> list[dict]:
        rows = kept.rows
        if project_id in kept.selecting:
            with self.db.reader() as connection:
                rows = self._rows(connection, endpoint_filter.seen(connection, project_id))
        found: dict[str, dict] = {}
        for row in rows:
            url = row["url"]
            if "$(" in url:
                url = url.replace("$(project_id)s", project_id or "").replace("$(tenant_id)s", project_id or "")
            entry = found.setdefault(row["service"], {"id": row["service"], "type": row["type"], "name": row["name"],
                                                      "endpoints": []})
            entry["endpoints"].append({"id": row["id"], "interface": row["interface"], "region": row["region_id"],
                                       "region_id": row["region_id"], "url": url})
        return list(found.values())
