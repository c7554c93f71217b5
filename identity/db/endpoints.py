"""Endpoints of the catalog, grouped as in the API v2.0."""

import json

from common import rows
from identity.db import models

TABLE = models.endpoints


def by_legacy_id(connection) -> dict[str, list[dict]]:
    """{id in v2.0: the endpoints that it combines}.

    Endpoints created by v2.0 share ``legacy_endpoint_id``; others are grouped by service and region.
    """
    found: dict[str | tuple, list[dict]] = {}
    for row in rows.select(connection, TABLE):
        legacy = json.loads(row["extra"] or "{}").get("legacy_endpoint_id")
        found.setdefault(legacy or (row["service_id"], row["region_id"]), []).append(row)
    return {key if isinstance(key, str) else min(r["id"] for r in held): held for key, held in found.items()}
