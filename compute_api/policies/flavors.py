"""Flavors, who may use private ones, and their extra specs. Everybody lists and shows flavors."""

from common.policy import rule
from compute_api.policies.base import ADMIN, READER

_SPECS = "/flavors/{flavor_id}/os-extra_specs"
_SPEC = _SPECS + "/{flavor_extra_spec_key}"

RULES = [
    rule("os_compute_api:os-flavor-manage:create", ADMIN, "Create a flavor", "POST /flavors"),
    rule("os_compute_api:os-flavor-manage:update", ADMIN, "Change a flavor's description", "PUT /flavors/{flavor_id}"),
    rule("os_compute_api:os-flavor-manage:delete", ADMIN, "Delete a flavor", "DELETE /flavors/{flavor_id}"),
    rule("os_compute_api:os-flavor-access", ADMIN, "List the projects that may use a private flavor",
         "GET /flavors/{flavor_id}/os-flavor-access"),
    rule("os_compute_api:os-flavor-access:add_tenant_access", ADMIN, "Let a project use a private flavor",
         "POST /flavors/{flavor_id}/action (addTenantAccess)"),
    rule("os_compute_api:os-flavor-access:remove_tenant_access", ADMIN, "Stop a project from using a private flavor",
         "POST /flavors/{flavor_id}/action (removeTenantAccess)"),
    rule("os_compute_api:os-flavor-extra-specs:index", READER, "List a flavor's extra specs, and see them in flavors",
         f"GET {_SPECS}", "GET /flavors/detail", "GET /flavors/{flavor_id}", "POST /flavors", "PUT /flavors/{flavor_id}"),
    rule("os_compute_api:os-flavor-extra-specs:show", READER, "Show one extra spec of a flavor", f"GET {_SPEC}"),
    rule("os_compute_api:os-flavor-extra-specs:create", ADMIN, "Add extra specs to a flavor", f"POST {_SPECS}"),
    rule("os_compute_api:os-flavor-extra-specs:update", ADMIN, "Change an extra spec of a flavor", f"PUT {_SPEC}"),
    rule("os_compute_api:os-flavor-extra-specs:delete", ADMIN, "Delete an extra spec of a flavor", f"DELETE {_SPEC}"),
]
