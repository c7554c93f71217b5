"""Configurations of domains."""

from common.policy import rule
from identity.policies.base import ADMIN, ANYONE, CLOUD, EVERY, READER


def _paths(method: str, base: str, end: str = "") -> list[str]:
    return [f"{method} {base}{depth}{end}" for depth in ("", "/{group}", "/{group}/{option}")]


_CONFIG = "/v3/domains/{domain_id}/config"
RULES = [
    rule("identity:create_domain_config", ADMIN, "Replace the whole configuration of a domain", f"PUT {_CONFIG}", scopes=CLOUD),
    rule("identity:get_domain_config", READER, "Show a domain's configuration", *_paths("GET", _CONFIG), scopes=CLOUD),
    rule("identity:get_security_compliance_domain_config", ANYONE, "Show the password requirements, the group "
         "security_compliance", *_paths("GET", _CONFIG)[1:], scopes=EVERY),
    rule("identity:update_domain_config", ADMIN, "Change a domain's configuration", *_paths("PATCH", _CONFIG), scopes=CLOUD),
    rule("identity:delete_domain_config", ADMIN, "Delete a domain's configuration", *_paths("DELETE", _CONFIG), scopes=CLOUD),
    rule("identity:get_domain_config_default", READER, "Show the defaults for domains without a configuration",
         *_paths("GET", "/v3/domains/config", "/default"), scopes=CLOUD),
]
