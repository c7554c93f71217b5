"""Rules that others refer to, named as OpenStack's are, and the checks that most rules are made of."""

from common.policy import rule
from network.policies import checks

checks.register()  # rules are parsed as they are made
ADMIN, SERVICE = "rule:admin_only", "rule:service_api"
OWN, NETWORK_OWNER, GROUP_OWNER = "project_id:%(project_id)s", "rule:network_owner", "rule:sg_owner"
ADMIN_OR_SERVICE = f"({ADMIN}) or ({SERVICE})"
MANAGER, MEMBER, READER = (f"role:{role} and {OWN}" for role in ("manager", "member", "reader"))
ADMIN_OR_MANAGER, ADMIN_OR_MEMBER, ADMIN_OR_READER = (f"({ADMIN}) or ({check})" for check in (MANAGER, MEMBER, READER))
MEMBER_OF_NETWORK, READER_OF_NETWORK = (f"role:{role} and {NETWORK_OWNER}" for role in ("member", "reader"))

RULES = [
    rule("context_is_admin", "role:admin", "Whoever may do all in the whole cloud."),
    rule("admin_only", "rule:context_is_admin", "Only administrators."),
    rule("service_api", "role:service", "The other services of this cloud."),
    rule("owner", OWN, "Whoever works in the project that the thing belongs to."),
    rule("admin_or_owner", "rule:context_is_admin or rule:owner", "Administrators, and the project of the thing."),
    rule("network_owner", "project_id:%(network:project_id)s", "The project of the network that a subnet or port is on."),
    rule("admin_or_network_owner", "rule:context_is_admin or rule:network_owner",
         "Administrators, and the project of the network."),
    rule("admin_owner_or_network_owner", "rule:owner or rule:admin_or_network_owner",
         "Administrators, the project of the thing, and that of its network."),
    rule("sg_owner", "project_id:%(security_group:project_id)s", "The project of the security group that a rule is in."),
    rule("regular_user", "", "Anybody with a token."),
    rule("shared", "field:networks:shared=True", "The network is shared with all projects."),
    rule("default", "rule:admin_or_owner", "What holds where a rule is not defined.")]


def tags(noun: str, path: str, read: str = ADMIN_OR_READER, write: str = ADMIN_OR_MEMBER) -> list:
    """The rules of a noun's tags.

    :param read: the check to see them, ``write``: to change them
    """
    called = noun.replace("_", " ")
    found = [rule(f"{verb}_{noun}:tags", check, f"{text} the tags of a {called}.", *(
        f"{method} {path}/tags{end}" for end in ("", "/{tag}"))) for verb, method, check, text in (
            ("get", "GET", read, "See"), ("update", "PUT", write, "Set"), ("delete", "DELETE", write, "Remove"))]
    return [*found, rule(f"create_{noun}:tags", write, f"Add several tags to a {called} at once.", f"POST {path}/tags")]


def of_attributes(verb: str, noun: str, path: str, checks: dict[str, str]) -> list:
    """The rules of a noun's attributes, {name: check}.

    :param verb: "get": to see them; "create", "update": to send them
    """
    called, of = noun.replace("_", " "), {"get": "", "create": "new ", "update": ""}[verb]
    asked = {"get": (f"GET {path}", f"GET {path}/{{id}}"), "create": (f"POST {path}",), "update": (f"PUT {path}/{{id}}",)}[verb]
    return [rule(f"{verb}_{noun}:{name}", check, f"{'See' if verb == 'get' else 'Set'} {name} of a {of}{called}.", *asked)
            for name, check in checks.items()]


def of_noun(noun: str, path: str, *, get: str, create: str | None = None, update: str | None = None, delete: str) -> list:
    """The rules of a noun's own five requests."""
    called = noun.replace("_", " ")
    found = [rule(f"get_{noun}", get, f"See a {called}, in lists too.", f"GET {path}", f"GET {path}/{{id}}"),
             rule(f"delete_{noun}", delete, f"Delete a {called}.", f"DELETE {path}/{{id}}")]
    if create:
        found.append(rule(f"create_{noun}", create, f"Create a {called}.", f"POST {path}"))
    if update:
        found.append(rule(f"update_{noun}", update, f"Change a {called}.", f"PUT {path}/{{id}}"))
    return found
