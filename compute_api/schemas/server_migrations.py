"""Bodies of requests: live migrations of servers."""

from common import schema
from compute_api.schemas.migrations import HOST

_AUTO = {"enum": [*schema.BOOLEAN["enum"], "auto"]}
# What each microversion takes, ``compute_api.handlers.server_migrations`` knows.
MIGRATE_LIVE = schema.obj({"host": HOST, "block_migration": _AUTO, "disk_over_commit": schema.BOOLEAN, "force": schema.BOOLEAN},
                          ["host", "block_migration"])
ACTION = schema.obj({"force_complete": {"type": "null"}}, ["force_complete"])
