"""What OpenStack's placement API has and this one does not: all that writes."""

from common.unsupported import Part, Table

_PROVIDERS = "changes of resource providers (hosts report what they have)"
_ALLOCATIONS = "changes of allocations (the scheduler claims hosts for servers)"
_CLASSES, _TRAITS = "resource classes of one's own", "traits of one's own"
_P = "/resource_providers/{uuid}"
TABLE = Table("", [
    Part("/resource_providers", _PROVIDERS, ("POST",), read_only=True), Part(_P, _PROVIDERS, ("PUT", "DELETE"), read_only=True),
    Part(_P + "/inventories", _PROVIDERS, ("POST", "PUT", "DELETE"), read_only=True),
    Part(_P + "/inventories/{resource_class}", _PROVIDERS, ("PUT", "DELETE"), read_only=True),
    Part(_P + "/aggregates", _PROVIDERS, ("PUT",), read_only=True),
    Part(_P + "/traits", _PROVIDERS, ("PUT", "DELETE"), read_only=True),
    Part("/allocations/{consumer_uuid}", _ALLOCATIONS, ("PUT", "DELETE"), read_only=True),
    Part("/resource_classes", _CLASSES, ("POST",), read_only=True),
    Part("/resource_classes/{name}", _CLASSES, ("PUT", "DELETE"), read_only=True),
    Part("/traits/{name}", _TRAITS, ("PUT", "DELETE"), read_only=True),
    Part("/allocations", _ALLOCATIONS, ("POST",), read_only=True), Part("/reshaper", _PROVIDERS, ("POST",), read_only=True),
])
