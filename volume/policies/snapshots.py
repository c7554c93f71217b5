"""Rules of snapshots and their metadata."""

from volume.policies.base import ADMIN, MEMBER, OR_SERVICE, READER, rule

RULES = [
    rule("volume:get_all_snapshots", READER + OR_SERVICE, "List snapshots", "GET /snapshots", "GET /snapshots/detail"),
    rule("volume:get_snapshot", READER + OR_SERVICE, "Show a snapshot", "GET /snapshots/{id}"),
    rule("volume:create_snapshot", MEMBER + OR_SERVICE, "Create a snapshot of a volume", "POST /snapshots"),
    rule("volume:update_snapshot", MEMBER, "Change a snapshot's name and description", "PUT /snapshots/{id}"),
    rule("volume:delete_snapshot", MEMBER + OR_SERVICE, "Delete a snapshot", "DELETE /snapshots/{id}"),
    rule("volume_extension:extended_snapshot_attributes", READER, "See a snapshot's project and progress",
         "GET /snapshots/{id}", "GET /snapshots/detail"),
    rule("volume:get_snapshot_metadata", READER, "See a snapshot's metadata",
         "GET /snapshots/{id}/metadata", "GET /snapshots/{id}/metadata/{key}"),
    rule("volume:update_snapshot_metadata", MEMBER, "Add to and replace a snapshot's metadata",
         "POST /snapshots/{id}/metadata", "PUT /snapshots/{id}/metadata", "PUT /snapshots/{id}/metadata/{key}"),
    rule("volume:delete_snapshot_metadata", MEMBER, "Delete an item of a snapshot's metadata",
         "DELETE /snapshots/{id}/metadata/{key}"),
    rule("volume_extension:snapshot_admin_actions:reset_status", ADMIN, "Reset a snapshot's status",
         "POST /snapshots/{id}/action (os-reset_status)"),
    rule("volume_extension:snapshot_admin_actions:force_delete", ADMIN, "Delete a snapshot in any status",
         "POST /snapshots/{id}/action (os-force_delete)"),
    rule("snapshot_extension:snapshot_actions:update_snapshot_status", MEMBER,
         "Report the result of creating or deleting a snapshot", "POST /snapshots/{id}/action (os-update_snapshot_status)"),
]
