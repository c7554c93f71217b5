"""Targets of policy checks: attributes of resources, with the names in Keystone's rules."""

_ATTRIBUTES = ("id", "name", "domain_id", "project_id", "user_id", "parent_id", "type", "enabled", "trustor_user_id",
               "trustee_user_id")


def of(**things: dict | None) -> dict:
    """{"target.user.domain_id": …} of rows, or of what a client sends; nothing for resources that do not exist.

    Global roles have the domain "None", by which rules refer to them. No other resource has it, whatever a client
    sends: it would match attributes that a token lacks.
    """
    found = {f"target.{kind}.{name}": row[name] for kind, row in things.items() if row
             for name in _ATTRIBUTES if row.get(name) not in (None, "None")}
    role = things.get("role")
    return {**found, "target.role.domain_id": role.get("domain_id") or "None"} if role else found
