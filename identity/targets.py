"""What a rule is asked about: the attributes of things, by the names that Keystone's rules have for them."""

_ATTRIBUTES = ("id", "name", "domain_id", "project_id", "user_id", "parent_id", "type", "enabled", "trustor_user_id",
               "trustee_user_id")


def of(**things: dict | None) -> dict:
    """{"target.user.domain_id": …} of rows, or of what a client sends; of what does not exist, nothing.

    A role that is not a domain's has the domain "None", which is how rules ask for such roles. Nothing else has it, whatever a
    client writes: it would match what a token has not.
    """
    found = {f"target.{kind}.{name}": row[name] for kind, row in things.items() if row
             for name in _ATTRIBUTES if row.get(name) not in (None, "None")}
    role = things.get("role")
    return {**found, "target.role.domain_id": role.get("domain_id") or "None"} if role else found
