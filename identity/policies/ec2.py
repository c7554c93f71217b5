"""EC2 credentials, and the exchange of signatures by them."""

from common.policy import rule
from identity.policies.base import ADMIN, CLOUD, EVERY, READER
from identity.policies.credentials import OWNER

_OF_USER = "/v3/users/{user_id}/credentials/OS-EC2"
_ONE = _OF_USER + "/{credential_id}"
RULES = [
    rule("identity:ec2_get_credential", f"{READER} or {OWNER}", "show an EC2 credential", f"GET {_ONE}", scopes=CLOUD),
    rule("identity:ec2_list_credentials", f"{READER} or rule:owner", "list a user's EC2 credentials", f"GET {_OF_USER}",
         scopes=CLOUD),
    rule("identity:ec2_create_credential", f"{ADMIN} or (role:member and {OWNER})", "make an EC2 credential", f"POST {_OF_USER}",
         scopes=CLOUD),
    rule("identity:ec2_delete_credential", f"{ADMIN} or (role:member and {OWNER})", "delete an EC2 credential", f"DELETE {_ONE}",
         scopes=CLOUD),
    rule("identity:ec2tokens_validate", "rule:service_or_admin", "have a signed EC2 request checked, for its signer's token",
         "POST /v3/ec2tokens", scopes=EVERY),
    rule("identity:s3tokens_validate", "rule:service_or_admin", "have a signed S3 request checked, for its signer's token",
         "POST /v3/s3tokens", scopes=EVERY),
]
