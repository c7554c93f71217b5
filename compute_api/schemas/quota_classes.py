"""Bodies of requests: quota classes."""

from common import schema
from compute_api.schemas.quotas import LIMITS

UPDATE = schema.wrapped("quota_class_set", LIMITS)
