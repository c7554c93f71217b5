"""Domains."""

from common.policy import rule
from identity.policies.base import ADMIN, CLOUD, EVERY, READER

_ALL, _ONE = "/v3/domains", "/v3/domains/{domain_id}"
RULES = [
    rule("identity:get_domain",
         f"{READER} or token.domain.id:%(target.domain.id)s or token.project.domain.id:%(target.domain.id)s",
         "Show a domain", f"GET {_ONE}", scopes=EVERY),
    rule("identity:list_domains", f"{READER} or (role:reader and domain_id:%(target.domain.id)s)",
         "List domains; a domain-scoped token lists its own domain only", f"GET {_ALL}", scopes=EVERY),
    rule("identity:create_domain", ADMIN, "Create a domain", f"POST {_ALL}", scopes=CLOUD),
    rule("identity:update_domain", ADMIN, "Change a domain", f"PATCH {_ONE}", scopes=CLOUD),
    rule("identity:delete_domain", ADMIN, "Delete a domain and everything in it", f"DELETE {_ONE}", scopes=CLOUD),
]
