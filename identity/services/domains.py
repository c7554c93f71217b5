"""Domains: the namespaces of users and projects."""

from common import errors, rows, schema
from common.calls import Call
from identity.db import domains, grants, models, trusts
from identity.services.crud import Noun


def _end_tokens(call: Call, connection, domain_id: str) -> None:
    """Revoke every token related to a domain: scoped to the domain or its projects, of its users, or of a trust whose
    trustor or trustee is in it. Tokens of trusts may contain neither."""
    call.svc.revoke(connection, domain_id=domain_id)
    for trust_id in trusts.of_domain(connection, domain_id):
        call.svc.revoke(connection, trust_id=trust_id)


def _disabled(call: Call, connection, old: dict, values: dict) -> None:
    if values.get("enabled") is False and old["enabled"]:
        _end_tokens(call, connection, old["id"])


def _create(call: Call, connection, values: dict) -> None:
    values["description"] = values["description"] or ""


def _delete(call: Call, connection, row: dict) -> None:
    if row["enabled"]:
        raise errors.Forbidden("Cannot delete a domain that is enabled, please disable it first.")
    _end_tokens(call, connection, row["id"])
    for group in rows.select(connection, models.groups, domain_id=row["id"]):
        for user_id in grants.members(connection, group["id"]):  # also of users in other domains, who lose the roles of the group
            call.svc.revoke(connection, user_id=user_id)
    domains.delete_contents(connection, row["id"])


NOUN = Noun("domain", "domains", models.domains,
            {"name": {**schema.NAME, "maxLength": 64}, "description": schema.LONG_TEXT, "enabled": {"type": "boolean"}},
            ("name",), ("name", "enabled", "id"), on_create=_create, on_update=_disabled, on_delete=_delete,
            domain_target="target.domain.id", unknown_first=("update", "delete"))
