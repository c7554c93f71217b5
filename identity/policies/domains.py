"""Domains."""

from common.policy import rule
from identity.policies.base import ADMIN, CLOUD, EVERY, READER

_ALL, _ONE = "/v3/domains", "/v3/domains/{domain_id}"
RULES = [
    rule("identity:get_domain",
         f"{READER} or token.domain.id:%(target.domain.id)s or token.project.domain.id:%(target.domain.id)s",
         "show a domain", f"GET {_ONE}", scopes=EVERY),
    rule("identity:list_domains", f"{READER} or (role:reader and domain_id:%(target.domain.id)s)",
         "list domains; with a token for a domain, that one", f"GET {_ALL}", scopes=EVERY),
    rule("identity:create_domain", ADMIN, "make a domain", f"POST {_ALL}", scopes=CLOUD),
    rule("identity:update_domain", ADMIN, "change a domain", f"PATCH {_ONE}", scopes=CLOUD),
    rule("identity:delete_domain", ADMIN, "delete a domain and what is in it", f"DELETE {_ONE}", scopes=CLOUD),
]
