"""Services of the catalog."""

from common import schema
from identity.db import models
from identity.services.crud import Noun


class _ServiceNoun(Noun):
    def fields(self, row):
        return {k: v for k, v in super().fields(row).items() if v is not None or k not in ("name", "description")}


NOUN = _ServiceNoun("service", "services", models.services,
                    {"name": schema.TEXT, "type": schema.NAME, "description": schema.LONG_TEXT,
                     "enabled": {"type": "boolean"}}, ("type",), ("name", "type"))
