"""Rules of volumes."""

from volume.policies.base import ADMIN, MEMBER, OR_SERVICE, READER, rule

_SHOWN = ("GET /volumes/{id}", "GET /volumes/detail")

RULES = [
    rule("volume:create", MEMBER, "Create a volume", "POST /volumes"),
    rule("volume:create_from_image", MEMBER, "Create a volume from an image", "POST /volumes"),
    rule("volume:multiattach", MEMBER, "Create a volume that several servers may use at once", "POST /volumes"),
    rule("volume:get", READER + OR_SERVICE, "Show a volume; to others it does not exist (404)", "GET /volumes/{id}"),
    rule("volume:get_all", READER, "List volumes, and count them", "GET /volumes", "GET /volumes/detail", "GET /volumes/summary"),
    rule("volume:update", MEMBER, "Change a volume's name and description, and whether it can be booted from",
         "PUT /volumes/{id}", "POST /volumes/{id}/action (os-set_bootable)"),
    rule("volume:delete", MEMBER + OR_SERVICE, "Delete a volume", "DELETE /volumes/{id}"),
    rule("volume:force_delete", ADMIN, "Delete a volume in any status", "DELETE /volumes/{id}"),
    rule("volume_extension:volume_host_attribute", ADMIN, "See the host of a volume", *_SHOWN),
    rule("volume_extension:volume_tenant_attribute", READER, "See the project of a volume", *_SHOWN),
    rule("volume_extension:volume_mig_status_attribute", ADMIN, "See the migration status of a volume", *_SHOWN),
]
