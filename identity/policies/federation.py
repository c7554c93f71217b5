"""Identity providers, their protocols, mappings, and service providers."""

from common.policy import rule
from identity.policies.base import ADMIN, CLOUD, READER

_BASE = "/v3/OS-FEDERATION"
_IDPS, _IDP = f"{_BASE}/identity_providers", _BASE + "/identity_providers/{idp_id}"
_PROTOCOLS, _PROTOCOL = f"{_IDP}/protocols", _IDP + "/protocols/{protocol_id}"
_MAPPINGS, _MAPPING = f"{_BASE}/mappings", _BASE + "/mappings/{mapping_id}"
_SPS, _SP = f"{_BASE}/service_providers", _BASE + "/service_providers/{service_provider_id}"
RULES = [
    rule("identity:create_identity_provider", ADMIN, "make an identity provider known", f"PUT {_IDP}", scopes=CLOUD),
    rule("identity:list_identity_providers", READER, "list identity providers", f"GET {_IDPS}", scopes=CLOUD),
    rule("identity:get_identity_provider", READER, "show an identity provider", f"GET {_IDP}", scopes=CLOUD),
    rule("identity:update_identity_provider", ADMIN, "change an identity provider", f"PATCH {_IDP}", scopes=CLOUD),
    rule("identity:delete_identity_provider", ADMIN, "trust an identity provider no more", f"DELETE {_IDP}", scopes=CLOUD),
    rule("identity:create_protocol", ADMIN, "let an identity provider speak a protocol", f"PUT {_PROTOCOL}", scopes=CLOUD),
    rule("identity:update_protocol", ADMIN, "change an identity provider's protocol", f"PATCH {_PROTOCOL}", scopes=CLOUD),
    rule("identity:get_protocol", READER, "show an identity provider's protocol", f"GET {_PROTOCOL}", scopes=CLOUD),
    rule("identity:list_protocols", READER, "list an identity provider's protocols", f"GET {_PROTOCOLS}", scopes=CLOUD),
    rule("identity:delete_protocol", ADMIN, "delete an identity provider's protocol", f"DELETE {_PROTOCOL}", scopes=CLOUD),
    rule("identity:create_mapping", ADMIN, "make a mapping of what providers say to users", f"PUT {_MAPPING}", scopes=CLOUD),
    rule("identity:get_mapping", READER, "show a mapping", f"GET {_MAPPING}", scopes=CLOUD),
    rule("identity:list_mappings", READER, "list mappings", f"GET {_MAPPINGS}", scopes=CLOUD),
    rule("identity:delete_mapping", ADMIN, "delete a mapping", f"DELETE {_MAPPING}", scopes=CLOUD),
    rule("identity:update_mapping", ADMIN, "change a mapping", f"PATCH {_MAPPING}", scopes=CLOUD),
    rule("identity:create_service_provider", ADMIN, "make a service provider known", f"PUT {_SP}", scopes=CLOUD),
    rule("identity:list_service_providers", READER, "list service providers", f"GET {_SPS}", scopes=CLOUD),
    rule("identity:get_service_provider", READER, "show a service provider", f"GET {_SP}", scopes=CLOUD),
    rule("identity:update_service_provider", ADMIN, "change a service provider", f"PATCH {_SP}", scopes=CLOUD),
    rule("identity:delete_service_provider", ADMIN, "delete a service provider", f"DELETE {_SP}", scopes=CLOUD),
]
