"""Identity providers, their protocols, mappings, and service providers."""

from common.policy import rule
from identity.policies.base import ADMIN, CLOUD, READER

_BASE = "/v3/OS-FEDERATION"
_IDPS, _IDP = f"{_BASE}/identity_providers", _BASE + "/identity_providers/{idp_id}"
_PROTOCOLS, _PROTOCOL = f"{_IDP}/protocols", _IDP + "/protocols/{protocol_id}"
_MAPPINGS, _MAPPING = f"{_BASE}/mappings", _BASE + "/mappings/{mapping_id}"
_SPS, _SP = f"{_BASE}/service_providers", _BASE + "/service_providers/{service_provider_id}"
RULES = [
    rule("identity:create_identity_provider", ADMIN, "Register an identity provider", f"PUT {_IDP}", scopes=CLOUD),
    rule("identity:list_identity_providers", READER, "List identity providers", f"GET {_IDPS}", scopes=CLOUD),
    rule("identity:get_identity_provider", READER, "Show an identity provider", f"GET {_IDP}", scopes=CLOUD),
    rule("identity:update_identity_provider", ADMIN, "Change an identity provider", f"PATCH {_IDP}", scopes=CLOUD),
    rule("identity:delete_identity_provider", ADMIN, "Delete an identity provider", f"DELETE {_IDP}", scopes=CLOUD),
    rule("identity:create_protocol", ADMIN, "Add a protocol to an identity provider", f"PUT {_PROTOCOL}", scopes=CLOUD),
    rule("identity:update_protocol", ADMIN, "Change an identity provider's protocol", f"PATCH {_PROTOCOL}", scopes=CLOUD),
    rule("identity:get_protocol", READER, "Show an identity provider's protocol", f"GET {_PROTOCOL}", scopes=CLOUD),
    rule("identity:list_protocols", READER, "List an identity provider's protocols", f"GET {_PROTOCOLS}", scopes=CLOUD),
    rule("identity:delete_protocol", ADMIN, "Delete an identity provider's protocol", f"DELETE {_PROTOCOL}", scopes=CLOUD),
    rule("identity:create_mapping", ADMIN, "Create a mapping from identity providers' assertions to users", f"PUT {_MAPPING}",
         scopes=CLOUD),
    rule("identity:get_mapping", READER, "Show a mapping", f"GET {_MAPPING}", scopes=CLOUD),
    rule("identity:list_mappings", READER, "List mappings", f"GET {_MAPPINGS}", scopes=CLOUD),
    rule("identity:delete_mapping", ADMIN, "Delete a mapping", f"DELETE {_MAPPING}", scopes=CLOUD),
    rule("identity:update_mapping", ADMIN, "Change a mapping", f"PATCH {_MAPPING}", scopes=CLOUD),
    rule("identity:create_service_provider", ADMIN, "Register a service provider", f"PUT {_SP}", scopes=CLOUD),
    rule("identity:list_service_providers", READER, "List service providers", f"GET {_SPS}", scopes=CLOUD),
    rule("identity:get_service_provider", READER, "Show a service provider", f"GET {_SP}", scopes=CLOUD),
    rule("identity:update_service_provider", ADMIN, "Change a service provider", f"PATCH {_SP}", scopes=CLOUD),
    rule("identity:delete_service_provider", ADMIN, "Delete a service provider", f"DELETE {_SP}", scopes=CLOUD),
]
