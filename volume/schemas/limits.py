"""Bodies of requests: limits."""

from common import schema
from volume.conf import QUOTA_RESOURCES

QUOTA_UPDATE = schema.wrapped("quota_set", {
    "tenant_id": {}, "id": {}, **dict.fromkeys(QUOTA_RESOURCES, schema.integer(-1))})
