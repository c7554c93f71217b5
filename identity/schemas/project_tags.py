"""Bodies of requests: project tags."""

from common import schema
from identity.services import project_tags

REPLACE = schema.obj({"tags": project_tags.LIST}, ["tags"])
