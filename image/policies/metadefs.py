"""Rules of metadata definitions. They can check the ``project_id`` (the owner) and the ``visibility`` of the namespace."""

from image.policies.base import ADMIN, OWNERS_READER, rule

_READER = f"{ADMIN} or (role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))"
_ADMIN = "rule:metadef_admin"
_SPACES, _SPACE = "/v2/metadefs/namespaces", "/v2/metadefs/namespaces/{namespace}"
_OBJECTS, _PROPERTIES, _TAGS, _TYPES = (f"{_SPACE}/{noun}" for noun in ("objects", "properties", "tags", "resource_types"))

RULES = [
    rule("get_metadef_namespaces", OWNERS_READER, "List namespaces", f"GET {_SPACES}"),
    rule("get_metadef_namespace", _READER, "Show a namespace; to others it does not exist (404)", f"GET {_SPACE}"),
    rule("add_metadef_namespace", _ADMIN, "Create a namespace", f"POST {_SPACES}"),
    rule("modify_metadef_namespace", _ADMIN, "Change a namespace", f"PUT {_SPACE}"),
    rule("delete_metadef_namespace", _ADMIN, "Delete a namespace, or all its objects, properties or tags",
         f"DELETE {_SPACE}", f"DELETE {_OBJECTS}", f"DELETE {_PROPERTIES}", f"DELETE {_TAGS}"),
    rule("get_metadef_objects", _READER, "List a namespace's objects", f"GET {_OBJECTS}", f"GET {_SPACE}"),
    rule("get_metadef_object", _READER, "Show an object", f"GET {_OBJECTS}/{{name}}", f"GET {_OBJECTS}"),
    rule("add_metadef_object", _ADMIN, "Add an object to a namespace", f"POST {_OBJECTS}"),
    rule("modify_metadef_object", _ADMIN, "Change an object", f"PUT {_OBJECTS}/{{name}}"),
    rule("delete_metadef_object", _ADMIN, "Delete an object", f"DELETE {_OBJECTS}/{{name}}"),
    rule("get_metadef_properties", _READER, "List a namespace's properties", f"GET {_PROPERTIES}", f"GET {_SPACE}"),
    rule("get_metadef_property", _READER, "Show a property", f"GET {_PROPERTIES}/{{name}}", f"GET {_PROPERTIES}"),
    rule("add_metadef_property", _ADMIN, "Add a property to a namespace", f"POST {_PROPERTIES}"),
    rule("modify_metadef_property", _ADMIN, "Change a property", f"PUT {_PROPERTIES}/{{name}}"),
    rule("remove_metadef_property", _ADMIN, "Delete a property", f"DELETE {_PROPERTIES}/{{name}}"),
    rule("get_metadef_tags", _READER, "List a namespace's tags", f"GET {_TAGS}", f"GET {_SPACE}"),
    rule("get_metadef_tag", _READER, "Show a tag", f"GET {_TAGS}/{{name}}", f"GET {_TAGS}"),
    rule("add_metadef_tag", _ADMIN, "Add a tag to a namespace", f"POST {_TAGS}/{{name}}"),
    rule("add_metadef_tags", _ADMIN, "Replace a namespace's tags, or add some", f"POST {_TAGS}"),
    rule("modify_metadef_tag", _ADMIN, "Change a tag", f"PUT {_TAGS}/{{name}}"),
    rule("delete_metadef_tag", _ADMIN, "Delete a tag", f"DELETE {_TAGS}/{{name}}"),
    rule("delete_metadef_tags", _ADMIN, "Delete a namespace's tags", f"DELETE {_TAGS}"),
    rule("list_metadef_resource_types", _READER, "List resource types, and those of namespaces",
         "GET /v2/metadefs/resource_types", f"GET {_TYPES}", f"GET {_SPACES}", f"GET {_SPACE}"),
    rule("get_metadef_resource_type", _READER, "Show the resource types of a namespace", f"GET {_TYPES}"),
    rule("add_metadef_resource_type_association", _ADMIN, "Associate a namespace with a resource type", f"POST {_TYPES}"),
    rule("remove_metadef_resource_type_association", _ADMIN, "Remove a namespace's association with a resource type",
         f"DELETE {_TYPES}/{{name}}"),
]
