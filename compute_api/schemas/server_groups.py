"""Bodies of requests: server groups."""

from common import schema

HARD, SOFT = ["affinity", "anti-affinity"], ["soft-affinity", "soft-anti-affinity"]
OLD = schema.wrapped("server_group", {"name": schema.NAME, "policies": {
    "type": "array", "minItems": 1, "maxItems": 1, "items": {"enum": HARD + SOFT}}}, ("name", "policies"))
POSITIVE_INT = schema.integer(1)
NEW = schema.wrapped("server_group", {
    "name": schema.NAME, "policy": {"enum": HARD + SOFT}, "rules": schema.obj({"max_server_per_host": POSITIVE_INT})},
    ("name", "policy"))
