"""Rules of the volume services and their pools."""

from volume.policies.base import ADMIN, rule

RULES = [
    rule("volume_extension:services:index", ADMIN, "List the volume services", "GET /os-services"),
    rule("volume_extension:services:update", ADMIN, "Enable and disable a volume service", "PUT /os-services/{action}"),
    rule("scheduler_extension:scheduler_stats:get_pools", ADMIN, "List the storage pools and their capacity",
         "GET /scheduler-stats/get_pools"),
]
