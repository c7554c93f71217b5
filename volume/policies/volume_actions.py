"""Rules of the actions on a volume."""

from volume.policies.base import ADMIN, MEMBER, OR_SERVICE, rule


def _action(name: str) -> str:
    return f"POST /volumes/{{id}}/action ({name})"


RULES = [
    rule("volume:extend", MEMBER, "Extend a volume that is not attached", _action("os-extend")),
    rule("volume:extend_attached_volume", MEMBER, "Extend a volume that a server uses", _action("os-extend")),
    rule("volume_extension:volume_admin_actions:extend_volume_completion", ADMIN + OR_SERVICE,
         "Complete the extension of a volume that a server uses", _action("os-extend_volume_completion")),
    rule("volume:update_readonly_flag", MEMBER, "Make a volume read-only, or writable again", _action("os-update_readonly_flag")),
    rule("volume_extension:volume_admin_actions:reset_status", ADMIN, "Reset a volume's status",
         _action("os-reset_status")),
    rule("volume_extension:volume_admin_actions:force_delete", ADMIN + OR_SERVICE, "Delete a volume in any status",
         _action("os-force_delete")),
    rule("volume:reimage", MEMBER, "Write an image on a volume that is available or in error", _action("os-reimage")),
    rule("volume:reimage_reserved", MEMBER + OR_SERVICE, "Write an image on a volume that is reserved for a server",
         _action("os-reimage")),
    rule("volume_extension:volume_actions:upload_image", MEMBER, "Upload a volume to an image",
         _action("os-volume_upload_image")),
    rule("volume_extension:volume_actions:upload_public", ADMIN, "Upload a volume to an image that everybody sees",
         _action("os-volume_upload_image")),
    rule("volume_extension:volume_admin_actions:force_detach", ADMIN, "Detach a volume in any status, unless a server uses it",
         _action("os-force_detach")),
    rule("volume_extension:volume_actions:initialize_connection", MEMBER,
         "Connect a host to a volume without a server, and see the secrets of that connection",
         _action("os-initialize_connection")),
    rule("volume_extension:volume_actions:terminate_connection", MEMBER, "Disconnect a host from a volume",
         _action("os-terminate_connection")),
    rule("volume_extension:volume_actions:attach", MEMBER, "Mark a volume as attached", _action("os-attach")),
    rule("volume_extension:volume_actions:detach", MEMBER, "Mark a volume as detached", _action("os-detach")),
    rule("volume_extension:volume_actions:reserve", MEMBER, "Mark a volume as reserved before attaching it",
         _action("os-reserve")),
    rule("volume_extension:volume_actions:unreserve", MEMBER, "Undo the reservation of a volume", _action("os-unreserve")),
    rule("volume_extension:volume_actions:begin_detaching", MEMBER, "Mark a volume as being detached",
         _action("os-begin_detaching")),
    rule("volume_extension:volume_actions:roll_detaching", MEMBER + OR_SERVICE, "Undo marking a volume as being detached",
         _action("os-roll_detaching")),
]
