"""Domains: the namespaces of users and projects."""

import sqlalchemy as sa

from common import errors, schema
from identity.db import grants, models
from identity.handlers.crud import Noun


def _disabled(req, connection, old, values):
    if values.get("enabled") is False and old["enabled"]:
        req.svc.revoke(connection, domain_id=old["id"])


def _create(req, connection, values):
    values["description"] = values["description"] or ""


def _delete(req, connection, row):
    if row["enabled"]:
        raise errors.Forbidden("Cannot delete a domain that is enabled, please disable it first.")
    req.svc.revoke(connection, domain_id=row["id"])
    grants.forget_target(connection, sa.select(models.projects.c.id).where(models.projects.c.domain_id == row["id"]))
    grants.forget_target(connection, [row["id"]])
    for table in (models.identity_providers, models.groups, models.users, models.projects, models.roles):
        connection.execute(sa.delete(table).where(table.c.domain_id == row["id"]))


NOUN = Noun("domain", "domains", models.domains,
            {"name": {**schema.NAME, "maxLength": 64}, "description": schema.LONG_TEXT, "enabled": {"type": "boolean"}},
            ("name",), ("name", "enabled", "id"), on_create=_create, on_update=_disabled, on_delete=_delete,
            domain_target="target.domain.id", unknown_first=("update", "delete"))
index, show, create, update, delete = NOUN.index, NOUN.show, NOUN.create, NOUN.update, NOUN.delete
