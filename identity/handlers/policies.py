"""Policy documents that services once stored here. They are stored and shown, but not enforced."""

from common import schema
from identity.db import models
from identity.handlers.crud import Noun

NOUN = Noun("policy", "policies", models.policies,
            {"type": schema.NAME, "blob": {"type": "string", "maxLength": 65535}}, ("type", "blob"), ("type",))
index, show, create, update, delete = NOUN.index, NOUN.show, NOUN.create, NOUN.update, NOUN.delete
