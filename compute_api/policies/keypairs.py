"""Key pairs belong to users, not to projects."""

from common.policy import rule
from compute_api.policies.base import ADMIN

_OWN_OR_ADMIN = f"({ADMIN}) or user_id:%(user_id)s"

RULES = [
    rule("os_compute_api:os-keypairs:index", _OWN_OR_ADMIN, "List a user's key pairs", "GET /os-keypairs"),
    rule("os_compute_api:os-keypairs:create", _OWN_OR_ADMIN, "Create or import a key pair for a user", "POST /os-keypairs"),
    rule("os_compute_api:os-keypairs:show", _OWN_OR_ADMIN, "Show a user's key pair", "GET /os-keypairs/{keypair_name}"),
    rule("os_compute_api:os-keypairs:delete", _OWN_OR_ADMIN, "Delete a user's key pair", "DELETE /os-keypairs/{keypair_name}"),
]
