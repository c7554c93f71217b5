"""Rules of the placement API, with OpenStack's names and defaults."""

from oslo_policy.policy import RuleDefault

from common.policy import rule

_ADMIN = "rule:admin_or_service_api"
_PROVIDER = "/resource_providers/{uuid}"
RULES: list[RuleDefault] = [
    rule("admin_or_service_api", "role:admin or role:service",
         "An administrator, or another service of the cloud: the default for most requests"),
    rule("project_reader_api", "role:reader and project_id:%(project_id)s", "A reader of the project that is asked about"),
    rule("admin_or_project_reader_or_service_api", "role:admin or rule:project_reader_api or role:service",
         "The default for requests that show something of a project"),
    rule("placement:resource_providers:list", _ADMIN, "List resource providers", "GET /resource_providers"),
    rule("placement:resource_providers:show", _ADMIN, "Show a resource provider", f"GET {_PROVIDER}"),
    rule("placement:resource_providers:inventories:list", _ADMIN, "List the inventories of a resource provider",
         f"GET {_PROVIDER}/inventories"),
    rule("placement:resource_providers:inventories:show", _ADMIN, "Show an inventory of a resource provider",
         f"GET {_PROVIDER}/inventories/{{resource_class}}"),
    rule("placement:resource_providers:usages", _ADMIN, "Show what is used of a resource provider", f"GET {_PROVIDER}/usages"),
    rule("placement:resource_providers:aggregates:list", _ADMIN, "List the aggregates of a resource provider",
         f"GET {_PROVIDER}/aggregates"),
    rule("placement:resource_providers:traits:list", _ADMIN, "List the traits of a resource provider", f"GET {_PROVIDER}/traits"),
    rule("placement:resource_providers:allocations:list", _ADMIN, "List the allocations of a resource provider",
         f"GET {_PROVIDER}/allocations"),
    rule("placement:allocations:list", _ADMIN, "List the allocations of a consumer", "GET /allocations/{consumer_uuid}"),
    rule("placement:allocation_candidates:list", _ADMIN, "List candidates for an allocation", "GET /allocation_candidates"),
    rule("placement:resource_classes:list", _ADMIN, "List resource classes", "GET /resource_classes"),
    rule("placement:resource_classes:show", _ADMIN, "Show a resource class", "GET /resource_classes/{name}"),
    rule("placement:traits:list", _ADMIN, "List traits", "GET /traits"),
    rule("placement:traits:show", _ADMIN, "Check whether a trait exists", "GET /traits/{name}"),
    rule("placement:usages", "rule:admin_or_project_reader_or_service_api", "Show what a project uses", "GET /usages"),
]


def list_rules() -> list[RuleDefault]:
    """For the generators of oslo.policy."""
    return RULES
