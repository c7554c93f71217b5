"""Consumers of OAuth 1, and the access tokens that users authorized."""

from common.policy import rule
from identity.policies.base import ADMIN, CLOUD, READER

_CONSUMERS, _CONSUMER = "/v3/OS-OAUTH1/consumers", "/v3/OS-OAUTH1/consumers/{consumer_id}"
_TOKENS = "/v3/users/{user_id}/OS-OAUTH1/access_tokens"
_TOKEN = _TOKENS + "/{access_token_id}"
RULES = [
    rule("identity:get_consumer", READER, "Show a consumer", f"GET {_CONSUMER}", scopes=CLOUD),
    rule("identity:list_consumers", READER, "List consumers", f"GET {_CONSUMERS}", scopes=CLOUD),
    rule("identity:create_consumer", ADMIN, "Create a consumer", f"POST {_CONSUMERS}", scopes=CLOUD),
    rule("identity:update_consumer", ADMIN, "Change a consumer", f"PATCH {_CONSUMER}", scopes=CLOUD),
    rule("identity:delete_consumer", ADMIN, "Delete a consumer and its tokens", f"DELETE {_CONSUMER}", scopes=CLOUD),
    rule("identity:authorize_request_token", ADMIN, "Authorize a consumer to use some of one's roles",
         "PUT /v3/OS-OAUTH1/authorize/{request_token_id}"),
    rule("identity:get_access_token", ADMIN, "Show an access token", f"GET {_TOKEN}"),
    rule("identity:get_access_token_role", ADMIN, "Show a role of an access token", f"GET {_TOKEN}/roles/{{role_id}}"),
    rule("identity:list_access_tokens", ADMIN, "List the access tokens that a user authorized", f"GET {_TOKENS}"),
    rule("identity:list_access_token_roles", ADMIN, "List the roles of an access token", f"GET {_TOKEN}/roles"),
    rule("identity:delete_access_token", ADMIN, "Revoke a consumer's access token", f"DELETE {_TOKEN}"),
]
