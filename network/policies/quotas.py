"""Rules of quotas. No rule is checked for the quotas of the caller's own project."""

from common.policy import rule
from network.policies import base

_PATH = "/quotas/{id}"
RULES = [
    rule("get_quota", base.ADMIN_OR_MANAGER, "See the quotas of a project", "GET /quotas", f"GET {_PATH}",
         f"GET {_PATH}/default", f"GET {_PATH}/details"),
    rule("update_quota", base.ADMIN, "Change the quotas of a project", f"PUT {_PATH}"),
    rule("delete_quota", base.ADMIN, "Reset the quotas of a project to the defaults", f"DELETE {_PATH}")]
