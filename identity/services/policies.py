"""Policy documents, which services used to store here. They are stored and shown, but not enforced."""

from common import schema
from identity.db import models
from identity.services.crud import Noun

NOUN = Noun("policy", "policies", models.policies,
            {"type": schema.NAME, "blob": {"type": "string", "maxLength": 65535}}, ("type", "blob"), ("type",))
