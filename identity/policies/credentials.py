"""Credentials: secrets of users for other ways to authenticate."""

from common.policy import rule
from identity.policies.base import ADMIN, EVERY, READER

_ALL, _ONE = "/v3/credentials", "/v3/credentials/{credential_id}"
OWNER = "user_id:%(target.credential.user_id)s"
RULES = [
    rule("identity:get_credential", f"{READER} or {OWNER}",
         "Show a credential; lists contain the credentials for which this rule allows it",
         f"GET {_ONE}", scopes=EVERY),
    rule("identity:list_credentials", f"{READER} or {OWNER}", "List credentials", f"GET {_ALL}", scopes=EVERY),
    rule("identity:create_credential", f"{ADMIN} or {OWNER}", "Create a credential", f"POST {_ALL}", scopes=EVERY),
    rule("identity:update_credential", f"{ADMIN} or {OWNER}", "Change a credential", f"PATCH {_ONE}", scopes=EVERY),
    rule("identity:delete_credential", f"{ADMIN} or {OWNER}", "Delete a credential", f"DELETE {_ONE}", scopes=EVERY),
]
