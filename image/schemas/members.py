"""Bodies of requests: members."""

from common import schema
from image.db.members import STATUSES

ADD = schema.obj({"member": {"type": "string", "minLength": 1, "maxLength": 64}}, ["member"])
ANSWER = schema.obj({"status": {"enum": list(STATUSES)}}, ["status"], extra=True)
