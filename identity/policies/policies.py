"""Policy documents, which services used to store here."""

from common.policy import rule
from identity.policies.base import ADMIN, CLOUD, READER

_ALL, _ONE = "/v3/policies", "/v3/policies/{policy_id}"
RULES = [
    rule("identity:get_policy", READER, "Show a policy document", f"GET {_ONE}", scopes=CLOUD),
    rule("identity:list_policies", READER, "List policy documents", f"GET {_ALL}", scopes=CLOUD),
    rule("identity:create_policy", ADMIN, "Create a policy document", f"POST {_ALL}", scopes=CLOUD),
    rule("identity:update_policy", ADMIN, "Change a policy document", f"PATCH {_ONE}", scopes=CLOUD),
    rule("identity:delete_policy", ADMIN, "Delete a policy document", f"DELETE {_ONE}", scopes=CLOUD),
]
