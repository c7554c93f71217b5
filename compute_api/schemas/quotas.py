"""Bodies of requests: quotas."""

from common import schema
from compute_api.services.quotas import LEGACY
from conductor.db.quotas import DEFAULTS

LIMITS = dict.fromkeys((*DEFAULTS, *LEGACY), schema.integer(-1))
UPDATE = schema.wrapped("quota_set", {**LIMITS, "force": schema.BOOLEAN, "tenant_id": {}})
