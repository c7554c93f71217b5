"""Extensions of the API."""

from common.policy import rule
from compute_api.policies.base import ANYBODY

RULES = [rule("os_compute_api:extensions", ANYBODY, "List the extensions of the API", "GET /extensions",
              "GET /extensions/{alias}")]
