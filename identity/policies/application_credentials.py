"""Application credentials."""

from common.policy import rule
from identity.policies.base import CLOUD, READER

_OF_USER = "/v3/users/{user_id}/application_credentials"
_ONE = _OF_USER + "/{application_credential_id}"
RULES = [
    rule("identity:list_application_credentials", f"{READER} or rule:owner", "List a user's application credentials",
         f"GET {_OF_USER}", scopes=CLOUD),
    rule("identity:get_application_credential", f"{READER} or rule:owner", "Show an application credential", f"GET {_ONE}",
         scopes=CLOUD),
    rule("identity:create_application_credential", "rule:owner", "Create an application credential for oneself",
         f"POST {_OF_USER}"),
    rule("identity:delete_application_credential", "rule:admin_or_owner", "Delete an application credential", f"DELETE {_ONE}",
         scopes=CLOUD),
]
