"""Volumes and snapshots through the proxy routes, which call the volume service with the caller's token."""

from common.policy import rule
from compute_api.policies.base import MEMBER, READER

RULES = [
    rule("os_compute_api:os-volumes:list", READER, "List volumes", "GET /os-volumes"),
    rule("os_compute_api:os-volumes:detail", READER, "List volumes with details", "GET /os-volumes/detail"),
    rule("os_compute_api:os-volumes:show", READER, "Show a volume", "GET /os-volumes/{volume_id}"),
    rule("os_compute_api:os-volumes:create", MEMBER, "Create a volume", "POST /os-volumes"),
    rule("os_compute_api:os-volumes:delete", MEMBER, "Delete a volume", "DELETE /os-volumes/{volume_id}"),
    rule("os_compute_api:os-volumes:snapshots:list", READER, "List snapshots", "GET /os-snapshots"),
    rule("os_compute_api:os-volumes:snapshots:detail", READER, "List snapshots with details", "GET /os-snapshots/detail"),
    rule("os_compute_api:os-volumes:snapshots:show", READER, "Show a snapshot", "GET /os-snapshots/{snapshot_id}"),
    rule("os_compute_api:os-volumes:snapshots:create", MEMBER, "Create a snapshot of a volume", "POST /os-snapshots"),
    rule("os_compute_api:os-volumes:snapshots:delete", MEMBER, "Delete a snapshot", "DELETE /os-snapshots/{snapshot_id}"),
]
