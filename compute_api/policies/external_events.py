"""What other services report about servers."""

from common.policy import rule
from compute_api.policies.base import SERVICE

RULES = [rule("os_compute_api:os-server-external-events:create", SERVICE, "Report events of servers' ports and volumes",
              "POST /os-server-external-events")]
