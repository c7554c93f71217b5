"""Rules of the associations of policy documents with an endpoint, a service, or a service in a region."""

from common.policy import rule
from identity.policies.base import ADMIN, CLOUD, READER

_BASE = "/v3/policies/{policy_id}/OS-ENDPOINT-POLICY"
_THINGS = (("endpoint", "an endpoint", _BASE + "/endpoints/{endpoint_id}"),
           ("service", "a service", _BASE + "/services/{service_id}"),
           ("region_and_service", "a service in a region", _BASE + "/services/{service_id}/regions/{region_id}"))
RULES = [
    *[made for thing, text, path in _THINGS for made in (
        rule(f"identity:create_policy_association_for_{thing}", ADMIN, f"Associate a policy document with {text}", f"PUT {path}",
             scopes=CLOUD),
        rule(f"identity:check_policy_association_for_{thing}", READER,
             f"Check whether a policy document is associated with {text}",
             f"GET {path}", scopes=CLOUD),
        rule(f"identity:delete_policy_association_for_{thing}", ADMIN, f"Dissociate a policy document from {text}",
             f"DELETE {path}", scopes=CLOUD))],
    rule("identity:get_policy_for_endpoint", READER, "Show the policy document that applies to an endpoint",
         "GET /v3/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy", scopes=CLOUD),
    rule("identity:list_endpoints_for_policy", READER, "List the endpoints to which a policy document applies",
         f"GET {_BASE}/endpoints", scopes=CLOUD),
]
