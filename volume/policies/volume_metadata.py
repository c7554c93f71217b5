"""Rules of the metadata of volumes, and of the image metadata that they are created with."""

from volume.policies.base import MEMBER, READER, rule

_ALL, _ONE, _ACTION = "/volumes/{id}/metadata", "/volumes/{id}/metadata/{key}", "POST /volumes/{id}/action"

RULES = [
    rule("volume:get_volume_metadata", READER, "See a volume's metadata and its image metadata",
         f"GET {_ALL}", f"GET {_ONE}", f"{_ACTION} (os-show_image_metadata)"),
    rule("volume:create_volume_metadata", MEMBER, "Add to a volume's metadata", f"POST {_ALL}"),
    rule("volume:update_volume_metadata", MEMBER, "Replace a volume's metadata, or an item of it", f"PUT {_ALL}", f"PUT {_ONE}"),
    rule("volume:delete_volume_metadata", MEMBER, "Delete an item of a volume's metadata", f"DELETE {_ONE}"),
    rule("volume_extension:volume_image_metadata:show", READER, "See the image metadata in volumes",
         "GET /volumes/{id}", "GET /volumes/detail"),
    rule("volume_extension:volume_image_metadata:set", MEMBER, "Change a volume's image metadata",
         f"{_ACTION} (os-set_image_metadata)"),
    rule("volume_extension:volume_image_metadata:remove", MEMBER, "Delete an item of a volume's image metadata",
         f"{_ACTION} (os-unset_image_metadata)"),
]
