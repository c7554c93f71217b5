"""What Cinder's API has and this one does not."""

from common.unsupported import Part, Table

_GROUPS, _MANAGE, _TRANSFERS = "groups of volumes", "volumes that were made outside of it", "transfers of volumes"
_ENCRYPTION, _MIGRATIONS = "encrypted volumes", "migrations of volumes between back ends"
TABLE = Table("/v3", [
    Part("/backups", "backups of volumes"), Part("/capabilities", "capabilities of back ends"),
    Part("/clusters", "clusters of volume services"), Part("/workers", "clusters of volume services"),
    Part("/default-types", "default volume types of projects"),
    *(Part(f"/{noun}", _GROUPS) for noun in ("groups", "group_snapshots", "group_types", "consistencygroups", "cgsnapshots")),
    *(Part(f"/{noun}", _MANAGE) for noun in ("manageable_volumes", "manageable_snapshots", "os-volume-manage",
                                             "os-snapshot-manage")),
    Part("/messages", "user messages"), Part("/os-hosts", "os-hosts (see os-services)"),
    Part("/os-quota-class-sets", "quota classes of volumes"),
    Part("/os-volume-transfer", _TRANSFERS), Part("/volume-transfers", _TRANSFERS), Part("/qos-specs", "QoS of volumes"),
    Part("/types/{id}/encryption", _ENCRYPTION), Part("/volumes/{id}/encryption", _ENCRYPTION),
], project=True)
# Names of actions on volumes and snapshots -> what they are for.
ACTIONS = {
    **dict.fromkeys(("os-migrate_volume", "os-migrate_volume_completion"), _MIGRATIONS),
    "os-retype": "changes of a volume's type", "os-volume_upload_image": "images made of volumes",
    "os-reimage": "new images on volumes", "revert": "volumes that go back to a snapshot", "os-unmanage": _MANAGE,
    **dict.fromkeys(("os-initialize_connection", "os-terminate_connection"),
                    "connections without attachments (see /attachments)"),
    "os-force_detach": "forced detachments",
}
