"""Bodies of requests: quotas."""

from common import schema
from network.conf import QUOTA_RESOURCES

UPDATE = schema.obj({"quota": schema.obj({
    "force": schema.BOOLEAN, "check_limit": schema.BOOLEAN, **{r: schema.integer(-1) for r in QUOTA_RESOURCES}},
    extra=True)}, ["quota"])
