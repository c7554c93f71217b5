"""Projects, which own resources."""

import dataclasses

from common import errors, rows, schema, tags
from common.calls import Call
from identity import targets
from identity.db import grants, models
from identity.db import projects as queries
from identity.services import project_tags
from identity.services.crud import Noun
from identity.services.domains import NOUN as DOMAIN


def _create(call: Call, connection, values: dict) -> None:
    values["domain_id"] = values["domain_id"] or call.ctx.domain_id or "default"
    domain, above = rows.get(connection, models.domains, values["domain_id"], resource="domain"), {}
    if values["parent_id"] and values["parent_id"] != values["domain_id"]:
        parent = rows.get(connection, models.projects, values["parent_id"], resource="project")
        if parent["domain_id"] != values["domain_id"]:
            raise errors.BadRequest("A project must be in the domain of its parent.")
        above = queries.enabled_above(connection, parent["id"])
    disabled = next((id for id, enabled in {domain["id"]: domain["enabled"], **above}.items() if not enabled), None)
    if disabled:
        raise errors.BadRequest(f"cannot create a project in a branch containing a disabled project: {disabled}")
    if len(above) >= call.svc.conf.identity.max_project_tree_depth:
        raise errors.Forbidden(f"Max hierarchy depth reached for {values['parent_id']} branch.")
    values["parent_id"] = values["parent_id"] or values["domain_id"]
    values["description"] = values["description"] or ""
    values["tags"] = project_tags.text(values["tags"] or [])


def _check_branch(connection, row: dict, enabled: bool) -> None:
    """All projects above an enabled one must be enabled, and all below a disabled one disabled.

    :raises Forbidden: otherwise
    """
    domain = rows.get(connection, models.domains, row["domain_id"], resource="domain")
    above = {**queries.enabled_above(connection, row["id"]), row["id"]: domain["enabled"]}
    if enabled and not all(above.values()):
        raise errors.Forbidden(f"Cannot enable project {row['id']} since it has disabled parents")
    if not enabled and any(queries.enabled_below(connection, row["id"]).values()):
        raise errors.Forbidden(f"Cannot disable project {row['id']} since its subtree contains enabled projects.")


def _update(call: Call, connection, old: dict, values: dict) -> None:
    # Roles are inherited from above: moving a project would change who has access to it.
    if values.get("parent_id", old["parent_id"]) != old["parent_id"]:
        raise errors.Forbidden("Update of `parent_id` is not allowed.")
    if "tags" in values:
        values["tags"] = project_tags.text(values["tags"])
    if values.get("enabled", old["enabled"]) != old["enabled"]:
        _check_branch(connection, old, values["enabled"])
    if values.get("enabled") is False and old["enabled"]:
        call.svc.revoke(connection, project_id=old["id"])


def _delete(call: Call, connection, row: dict) -> None:
    if rows.exists(connection, models.projects, parent_id=row["id"]):
        raise errors.Forbidden("Cannot delete a project that has children.")
    call.svc.revoke(connection, project_id=row["id"])
    grants.forget_target(connection, [row["id"]])


class _ProjectNoun(Noun):
    def fields(self, row: dict):
        return {**super().fields(row), "is_domain": False, "tags": project_tags.of(row), "options": {}}

    def where(self, query):
        return [queries.tagged(n, query[n]) for n in tags.FILTERS if n in query]


NOUN = _ProjectNoun("project", "projects", models.projects,
                    {"name": {**schema.NAME, "maxLength": 64}, "description": schema.LONG_TEXT,
                     "enabled": {"type": "boolean"}, "domain_id": {"type": ["string", "null"], "maxLength": 64},
                     "parent_id": {"type": ["string", "null"], "maxLength": 64}, "tags": project_tags.LIST},
                    ("name",), ("name", "enabled", "domain_id", "parent_id"), on_create=_create,
                    on_update=_update, on_delete=_delete, domain_target="target.domain_id")


class _ActsAsDomain(Noun):
    """A domain as a project that acts as a domain, with the rules of projects. Such a project is in no domain."""

    def rule(self, verb: str, row: dict | None):
        return f"identity:{verb}_project"

    def target(self, row: dict):
        return targets.of(project={k: row.get(k) for k in ("id", "name", "enabled")})


ACTS_AS_DOMAIN = _ActsAsDomain(**{f.name: getattr(DOMAIN, f.name) for f in dataclasses.fields(DOMAIN)} | {"unknown_first": ()})


def is_domain(call: Call, id: str) -> bool:
    """Whether an id is a domain's: operations on projects then apply to the domain as a project."""
    with call.svc.db.reader() as connection:
        return rows.find(connection, models.domains, id) is not None


def tree_of(call: Call, row: dict) -> tuple[dict[str, dict], set[str]]:
    """({id: project} of all projects in the domain of a project, the ids of those on which the caller has a role)"""
    with call.svc.db.reader() as connection:
        every = {r["id"]: r for r in rows.select(connection, models.projects, domain_id=row["domain_id"])}
        return every, set(grants.targets_of(connection, call.ctx.user_id, "project"))
