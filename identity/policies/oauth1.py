"""Consumers of OAuth 1, and what users gave them."""

from common.policy import rule
from identity.policies.base import ADMIN, CLOUD, READER

_CONSUMERS, _CONSUMER = "/v3/OS-OAUTH1/consumers", "/v3/OS-OAUTH1/consumers/{consumer_id}"
_TOKENS = "/v3/users/{user_id}/OS-OAUTH1/access_tokens"
_TOKEN = _TOKENS + "/{access_token_id}"
RULES = [
    rule("identity:get_consumer", READER, "show a consumer", f"GET {_CONSUMER}", scopes=CLOUD),
    rule("identity:list_consumers", READER, "list consumers", f"GET {_CONSUMERS}", scopes=CLOUD),
    rule("identity:create_consumer", ADMIN, "make a consumer", f"POST {_CONSUMERS}", scopes=CLOUD),
    rule("identity:update_consumer", ADMIN, "change a consumer", f"PATCH {_CONSUMER}", scopes=CLOUD),
    rule("identity:delete_consumer", ADMIN, "delete a consumer and what it was given", f"DELETE {_CONSUMER}", scopes=CLOUD),
    rule("identity:authorize_request_token", ADMIN, "give a consumer some of one's roles",
         "PUT /v3/OS-OAUTH1/authorize/{request_token_id}"),
    rule("identity:get_access_token", ADMIN, "show an access token", f"GET {_TOKEN}"),
    rule("identity:get_access_token_role", ADMIN, "show a role of an access token", f"GET {_TOKEN}/roles/{{role_id}}"),
    rule("identity:list_access_tokens", ADMIN, "list what a user gave to consumers", f"GET {_TOKENS}"),
    rule("identity:list_access_token_roles", ADMIN, "list the roles of an access token", f"GET {_TOKEN}/roles"),
    rule("identity:delete_access_token", ADMIN, "take back what a consumer was given", f"DELETE {_TOKEN}"),
]
