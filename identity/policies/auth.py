"""Tokens, and what their owners may ask about themselves."""

from common.policy import rule
from identity.policies.base import ADMIN, ANYONE, CLOUD, EVERY, READER

_TOKENS = "/v3/auth/tokens"
RULES = [
    rule("identity:get_auth_catalog", ANYONE, "show the catalog of one's token", "GET /v3/auth/catalog", scopes=()),
    rule("identity:get_auth_projects", ANYONE, "list the projects that one may have a token for", "GET /v3/auth/projects",
         scopes=()),
    rule("identity:get_auth_domains", ANYONE, "list the domains that one may have a token for", "GET /v3/auth/domains",
         scopes=()),
    rule("identity:list_projects_for_user", ANYONE, "the same by an older name: both are asked", "GET /v3/auth/projects",
         scopes=()),
    rule("identity:list_domains_for_user", ANYONE, "the same by an older name: both are asked", "GET /v3/auth/domains",
         scopes=()),
    rule("identity:get_auth_system", ANYONE, "see whether one may have a token for the system", "GET /v3/auth/system", scopes=()),
    rule("identity:check_token", f"{READER} or rule:token_subject", "see whether a token is valid", f"HEAD {_TOKENS}",
         scopes=EVERY),
    rule("identity:validate_token", f"{READER} or rule:service_role or rule:token_subject", "look into a token", f"GET {_TOKENS}",
         scopes=EVERY),
    rule("identity:revoke_token", f"{ADMIN} or rule:token_subject", "end a token", f"DELETE {_TOKENS}", scopes=EVERY),
    rule("identity:list_revoke_events", "rule:service_or_admin", "pull the events by which tokens end",
         "GET /v3/OS-REVOKE/events", scopes=CLOUD),
]
