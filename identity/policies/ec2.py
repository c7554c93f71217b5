"""EC2 credentials, and the exchange of their signatures for tokens."""

from common.policy import rule
from identity.policies.base import ADMIN, CLOUD, EVERY, READER
from identity.policies.credentials import OWNER

_OF_USER = "/v3/users/{user_id}/credentials/OS-EC2"
_ONE = _OF_USER + "/{credential_id}"
RULES = [
    rule("identity:ec2_get_credential", f"{READER} or {OWNER}", "Show an EC2 credential", f"GET {_ONE}", scopes=CLOUD),
    rule("identity:ec2_list_credentials", f"{READER} or rule:owner", "List a user's EC2 credentials", f"GET {_OF_USER}",
         scopes=CLOUD),
    rule("identity:ec2_create_credential", f"{ADMIN} or (role:member and {OWNER})", "Create an EC2 credential",
         f"POST {_OF_USER}", scopes=CLOUD),
    rule("identity:ec2_delete_credential", f"{ADMIN} or (role:member and {OWNER})", "Delete an EC2 credential", f"DELETE {_ONE}",
         scopes=CLOUD),
    rule("identity:ec2tokens_validate", "rule:service_or_admin",
         "Exchange the signature of an EC2 request for a token of its signer",
         "POST /v3/ec2tokens", scopes=EVERY),
    rule("identity:s3tokens_validate", "rule:service_or_admin",
         "Exchange the signature of an S3 request for a token of its signer",
         "POST /v3/s3tokens", scopes=EVERY),
]
