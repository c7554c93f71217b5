"""Projects: the owners of everything."""

import sqlalchemy as sa

from common import errors, rows, schema
from identity.db import grants, models
from identity.handlers.crud import Noun


def _create(req, connection, values):
    values["domain_id"] = values["domain_id"] or req.ctx.domain_id or req.ctx.project_domain_id or "default"
    rows.get(connection, models.domains, values["domain_id"], resource="domain")
    if values["parent_id"] and values["parent_id"] != values["domain_id"]:
        parent = rows.get(connection, models.projects, values["parent_id"], resource="project")
        if parent["domain_id"] != values["domain_id"]:
            raise errors.BadRequest("A project must be in the domain of its parent.")
    values["parent_id"] = values["parent_id"] or values["domain_id"]
    values["description"] = values["description"] or ""


def _disabled(req, connection, old, values):
    if values.get("enabled") is False and old["enabled"]:
        req.svc.revoke(connection, project_id=old["id"])


def _delete(req, connection, row):
    children = sa.select(models.projects.c.id).where(models.projects.c.parent_id == row["id"])
    if connection.execute(children).first():
        raise errors.Forbidden("Cannot delete a project that has children.")
    req.svc.revoke(connection, project_id=row["id"])
    grants.forget_target(connection, [row["id"]])


class _ProjectNoun(Noun):
    def view(self, req, row):
        return {**super().view(req, row), "is_domain": False, "tags": [], "options": {}}


NOUN = _ProjectNoun("project", "projects", models.projects,
                    {"name": {**schema.NAME, "maxLength": 64}, "description": schema.LONG_TEXT,
                     "enabled": {"type": "boolean"}, "domain_id": {"type": ["string", "null"], "maxLength": 64},
                     "parent_id": {"type": ["string", "null"], "maxLength": 64}},
                    ("name",), ("name", "enabled", "domain_id", "parent_id"), on_create=_create,
                    on_update=_disabled, on_delete=_delete, target=lambda row: {"project_id": row["id"]})
index, show, create, update, delete = NOUN.index, NOUN.show, NOUN.create, NOUN.update, NOUN.delete
