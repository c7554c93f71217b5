"""Rules of volume types, their extra specs, and who may use private ones."""

from volume.policies.base import ADMIN, MEMBER, READER, rule

_TYPES, _TYPE, _SPECS, _SPEC = "/types", "/types/{id}", "/types/{id}/extra_specs", "/types/{id}/extra_specs/{key}"
_SHOWN = (f"GET {_TYPES}", f"GET {_TYPE}")

RULES = [
    rule("volume_extension:type_get_all", READER, "List volume types", f"GET {_TYPES}"),
    rule("volume_extension:type_get", READER, "Show a volume type, or the default one", f"GET {_TYPE}", f"GET {_TYPES}/default"),
    rule("volume_extension:type_create", ADMIN, "Create a volume type", f"POST {_TYPES}"),
    rule("volume_extension:type_update", ADMIN, "Change a volume type", f"PUT {_TYPE}"),
    rule("volume_extension:type_delete", ADMIN, "Delete a volume type", f"DELETE {_TYPE}"),
    rule("volume_extension:access_types_extra_specs", READER, "See the extra specs in volume types", *_SHOWN),
    rule("volume_extension:access_types_qos_specs_id", ADMIN, "See the QoS specs of a volume type", *_SHOWN),
    rule("volume_extension:types_extra_specs:index", READER, "List a volume type's extra specs", f"GET {_SPECS}"),
    rule("volume_extension:types_extra_specs:show", READER, "Show an extra spec of a volume type", f"GET {_SPEC}"),
    rule("volume_extension:types_extra_specs:create", ADMIN, "Add extra specs to a volume type", f"POST {_SPECS}"),
    rule("volume_extension:types_extra_specs:update", ADMIN, "Change an extra spec of a volume type", f"PUT {_SPEC}"),
    rule("volume_extension:types_extra_specs:delete", ADMIN, "Delete an extra spec of a volume type", f"DELETE {_SPEC}"),
    rule("volume_extension:types_extra_specs:read_sensitive", ADMIN,
         "See and filter by all extra specs, including those that describe the storage behind a type",
         *_SHOWN, f"GET {_SPECS}", f"GET {_SPEC}"),
    rule("volume_extension:volume_type_access", MEMBER, "See whether a volume type is public", *_SHOWN, f"POST {_TYPES}"),
    rule("volume_extension:volume_type_access:get_all_for_type", ADMIN, "List the projects that may use a private volume type",
         f"GET {_TYPE}/os-volume-type-access"),
    rule("volume_extension:volume_type_access:addProjectAccess", ADMIN, "Let a project use a private volume type",
         f"POST {_TYPE}/action (addProjectAccess)"),
    rule("volume_extension:volume_type_access:removeProjectAccess", ADMIN, "Stop a project from using a private volume type",
         f"POST {_TYPE}/action (removeProjectAccess)"),
]
