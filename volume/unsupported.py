"""Features of Cinder's API that are not supported."""

from common.unsupported import Part, Table

_GROUPS, _MANAGE, _TRANSFERS = "groups of volumes", "existing volumes of a backend", "transfers of volumes"
_ENCRYPTION, _MIGRATIONS = "encrypted volumes", "migrations of volumes between backends"
TABLE = Table("/v3", [
    Part("/backups", "backups of volumes"), Part("/capabilities", "capabilities of backends"),
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
# Names of actions on volumes and snapshots, and what they do.
ACTIONS = {
    **dict.fromkeys(("os-migrate_volume", "os-migrate_volume_completion"), _MIGRATIONS),
    "os-retype": "changes of a volume's type",
    "revert": "reverting volumes to a snapshot", "os-unmanage": _MANAGE,
}
