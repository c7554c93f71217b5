"""Trusts."""

from common.policy import rule
from identity.policies.base import ADMIN, CLOUD, READER

_ALL, _ONE = "/v3/OS-TRUST/trusts", "/v3/OS-TRUST/trusts/{trust_id}"
_TRUSTOR, _TRUSTEE = "user_id:%(target.trust.trustor_user_id)s", "user_id:%(target.trust.trustee_user_id)s"
RULES = [
    rule("identity:create_trust", _TRUSTOR, "Create a trust", f"POST {_ALL}"),
    rule("identity:list_trusts", READER, "List all trusts", f"GET {_ALL}", scopes=CLOUD),
    rule("identity:list_trusts_for_trustor", f"{READER} or {_TRUSTOR}", "List the trusts that a user granted as trustor",
         f"GET {_ALL}", scopes=CLOUD),
    rule("identity:list_trusts_for_trustee", f"{READER} or {_TRUSTEE}", "List the trusts that a user received as trustee",
         f"GET {_ALL}", scopes=CLOUD),
    rule("identity:list_roles_for_trust", f"{READER} or {_TRUSTOR} or {_TRUSTEE}", "List a trust's roles", f"GET {_ONE}/roles",
         scopes=CLOUD),
    rule("identity:get_role_for_trust", f"{READER} or {_TRUSTOR} or {_TRUSTEE}", "Show a role of a trust",
         f"GET {_ONE}/roles/{{role_id}}", scopes=CLOUD),
    rule("identity:delete_trust", f"{ADMIN} or {_TRUSTOR}", "Delete a trust", f"DELETE {_ONE}", scopes=CLOUD),
    rule("identity:get_trust", f"{READER} or {_TRUSTOR} or {_TRUSTEE}", "Show a trust", f"GET {_ONE}", scopes=CLOUD),
]
