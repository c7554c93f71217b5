"""Application credentials, and the access rules that they are limited to."""

import sqlalchemy as sa

from common import rows
from identity.db import models

LINKS = models.application_credential_rules


def rules_of(connection, credential_ids: list[str]) -> list[dict]:
    """The access rules of these credentials, each with its credential's id as ``application_credential_id``."""
    rule = models.access_rules
    query = sa.select(rule, LINKS.c.application_credential_id).join(LINKS, LINKS.c.access_rule_id == rule.c.id)
    return rows.many(connection, query.where(LINKS.c.application_credential_id.in_(credential_ids)).order_by(rule.c.id))
