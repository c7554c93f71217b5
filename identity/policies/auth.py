"""Rules of tokens, and of requests about the caller's own token."""

from common.policy import rule
from identity.policies.base import ADMIN, ANYONE, CLOUD, EVERY, READER

_TOKENS = "/v3/auth/tokens"
RULES = [
    rule("identity:get_auth_catalog", ANYONE, "Show the catalog for one's token", "GET /v3/auth/catalog", scopes=()),
    rule("identity:get_auth_projects", ANYONE, "List the projects that one can get a token for", "GET /v3/auth/projects",
         scopes=()),
    rule("identity:get_auth_domains", ANYONE, "List the domains that one can get a token for", "GET /v3/auth/domains",
         scopes=()),
    rule("identity:list_projects_for_user", ANYONE, "An older name for the same request; both rules are checked",
         "GET /v3/auth/projects", scopes=()),
    rule("identity:list_domains_for_user", ANYONE, "An older name for the same request; both rules are checked",
         "GET /v3/auth/domains", scopes=()),
    rule("identity:get_auth_system", ANYONE, "Check whether one can get a token for the system", "GET /v3/auth/system",
         scopes=()),
    rule("identity:check_token", f"{READER} or rule:token_subject", "Check whether a token is valid", f"HEAD {_TOKENS}",
         scopes=EVERY),
    rule("identity:validate_token", f"{READER} or rule:service_role or rule:token_subject",
         "Validate a token and see its contents", f"GET {_TOKENS}", scopes=EVERY),
    rule("identity:revoke_token", f"{ADMIN} or rule:token_subject", "Revoke a token", f"DELETE {_TOKENS}", scopes=EVERY),
    rule("identity:list_revoke_events", "rule:service_or_admin", "List token revocation events",
         "GET /v3/OS-REVOKE/events", scopes=CLOUD),
]
