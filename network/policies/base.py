"""Rules that other rules refer to, with OpenStack's names, and checks that many rules share."""

from common.policy import rule
from network.policies import checks

checks.register()  # before the first rule, which is parsed at once
ADMIN, SERVICE = "rule:admin_only", "rule:service_api"
OWN, NETWORK_OWNER, GROUP_OWNER = "project_id:%(project_id)s", "rule:network_owner", "rule:sg_owner"
ADMIN_OR_SERVICE = f"({ADMIN}) or ({SERVICE})"
MANAGER, MEMBER, READER = (f"role:{role} and {OWN}" for role in ("manager", "member", "reader"))
ADMIN_OR_MANAGER, ADMIN_OR_MEMBER, ADMIN_OR_READER = (f"({ADMIN}) or ({check})" for check in (MANAGER, MEMBER, READER))
MEMBER_OF_NETWORK, READER_OF_NETWORK = (f"role:{role} and {NETWORK_OWNER}" for role in ("member", "reader"))

RULES = [
    rule("context_is_admin", "role:admin", "An administrator of the whole cloud"),
    rule("admin_only", "rule:context_is_admin", "Administrators only"),
    rule("service_api", "role:service", "Another service of the cloud"),
    rule("owner", OWN, "Users of the project that owns the resource"),
    rule("admin_or_owner", "rule:context_is_admin or rule:owner",
         "Administrators, and users of the project that owns the resource"),
    rule("network_owner", "project_id:%(network:project_id)s",
         "Users of the project that owns the network of the subnet or port"),
    rule("admin_or_network_owner", "rule:context_is_admin or rule:network_owner",
         "Administrators, and users of the project that owns the network"),
    rule("admin_owner_or_network_owner", "rule:owner or rule:admin_or_network_owner",
         "Administrators, and users of the project that owns the resource or its network"),
    rule("sg_owner", "project_id:%(security_group:project_id)s", "Users of the project that owns the security group of the rule"),
    rule("regular_user", "", "Anybody with a token"),
    rule("shared", "field:networks:shared=True", "The network is shared with all projects"),
    rule("default", "rule:admin_or_owner", "The rule that applies where none is defined")]


_CALLED = {"floatingip": "floating IP", "subnetpool": "subnet pool"}


def _called(noun: str) -> str:
    return _CALLED.get(noun, noun.replace("_", " "))


def tags(noun: str, path: str, read: str = ADMIN_OR_READER, write: str = ADMIN_OR_MEMBER) -> list:
    """The rules of a noun's tags.

    :param read: the check to see them, ``write``: to change them
    """
    found = [rule(f"{verb}_{noun}:tags", check, f"{text} a {_called(noun)}", *(
        f"{method} {path}/tags{end}" for end in ("", "/{tag}"))) for verb, method, check, text in (
            ("get", "GET", read, "See the tags of"), ("update", "PUT", write, "Set the tags of"),
            ("delete", "DELETE", write, "Remove tags from"))]
    return [*found, rule(f"create_{noun}:tags", write, f"Add several tags to a {_called(noun)} at once", f"POST {path}/tags")]


def of_attributes(verb: str, noun: str, path: str, checks: dict[str, str]) -> list:
    """The rules of a noun's attributes, {name: check}.

    :param verb: "get": to see them; "create", "update": to send them
    """
    text = {"get": "See ``%s`` of a %s", "create": "Set ``%s`` when creating a %s", "update": "Change ``%s`` of a %s"}[verb]
    asked = {"get": (f"GET {path}", f"GET {path}/{{id}}"), "create": (f"POST {path}",), "update": (f"PUT {path}/{{id}}",)}[verb]
    return [rule(f"{verb}_{noun}:{name}", check, text % (name, _called(noun)), *asked)
            for name, check in checks.items()]


def of_noun(noun: str, path: str, *, get: str, create: str | None = None, update: str | None = None, delete: str) -> list:
    """The rules of a noun's own five requests."""
    called = _called(noun)
    found = [rule(f"get_{noun}", get, f"Show a {called}, also in lists", f"GET {path}", f"GET {path}/{{id}}"),
             rule(f"delete_{noun}", delete, f"Delete a {called}", f"DELETE {path}/{{id}}")]
    if create:
        found.append(rule(f"create_{noun}", create, f"Create a {called}", f"POST {path}"))
    if update:
        found.append(rule(f"update_{noun}", update, f"Change a {called}", f"PUT {path}/{{id}}"))
    return found
