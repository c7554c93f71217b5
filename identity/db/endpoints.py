"""Endpoints of the catalog, as the API v2.0 groups them."""

import json

from common import rows
from identity.db import models

TABLE = models.endpoints


def by_legacy_id(connection) -> dict[str, list[dict]]:
    """{id in v2.0: the endpoints that are one there}.

    Those that v2.0 made share ``legacy_endpoint_id``; others belong together by their service and region.
    """
    found: dict[str | tuple, list[dict]] = {}
    for row in rows.select(connection, TABLE):
        legacy = json.loads(row["extra"] or "{}").get("legacy_endpoint_id")
        found.setdefault(legacy or (row["service_id"], row["region_id"]), []).append(row)
    return {key if isinstance(key, str) else min(r["id"] for r in held): held for key, held in found.items()}
