"""Rules of quotas and limits."""

from volume.policies.base import ADMIN, READER, rule

RULES = [
    rule("volume_extension:quotas:show", READER, "See a project's quotas, what it uses of them, and the defaults",
         "GET /os-quota-sets/{target}", "GET /os-quota-sets/{target}/defaults"),
    rule("volume_extension:quotas:update", ADMIN, "Change a project's quotas", "PUT /os-quota-sets/{target}"),
    rule("volume_extension:quotas:delete", ADMIN, "Reset a project's quotas to the defaults",
         "DELETE /os-quota-sets/{target}"),
    rule("limits_extension:used_limits", READER, "See in the limits how much of them is used", "GET /limits"),
]
