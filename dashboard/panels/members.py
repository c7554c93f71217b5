"""Who has which role in a project or in a domain."""

from common.rest import path
from dashboard import forms
from dashboard.asks import Ask, do, get, together
from dashboard.forms import Field
from dashboard.panel import Column, Row
from dashboard.texts import Text

MEMBER_COLUMNS = (Column("Name", "link", "links"), Column("Kind", "kind"), Column("Domain", "domain"), Column("Role", "role"))


def assignments(scope: dict[str, str]) -> dict[str, Ask]:
    """:param scope: {"scope.project.id" or "scope.domain.id": id}"""
    return {"assignments": get("identity", path("/v3/role_assignments", query={**scope, "include_names": "true"}),
                               "role_assignments")}


def members(found: dict, row: Row) -> list[Row]:
    rows = []
    for given in found["assignments"]:
        kind = "user" if "user" in given else "group"
        who = given[kind]
        rows.append({"kind": Text("user") if kind == "user" else Text("group"), "name": who["name"],
                     "link": [(f"/identity/{kind}s/{who['id']}/", who["name"])],
                     "domain": who.get("domain", {}).get("name"),
                     "role": given["role"]["name"],
                     "key": f"{kind} {who['id']} {given['role']['id']}"})
    return sorted(rows, key=lambda r: (r["kind"], r["name"], r["role"]))


def member_fields(req) -> list[Field]:
    found = together(req, users=get("identity", path("/v3/users"), "users"), groups=get("identity", path("/v3/groups"), "groups"),
                     roles=get("identity", path("/v3/roles"), "roles"))
    who = [(f"user {u['id']}", Text("{name} (user)", name=u["name"])) for u in found["users"]]
    who += [(f"group {g['id']}", Text("{name} (group)", name=g["name"])) for g in found["groups"]]
    roles = forms.named(found["roles"])
    return [Field("who", "User or group", "choice", True, options=sorted(who, key=lambda pair: pair[1].lower())),
            Field("role", "Role", "choice", True, options=roles, initial=next((id for id, name in roles if name == "member"),
                                                                              ""))]


def grant(req, scope: str, owner: str, who: str, role: str, method: str) -> None:
    """Give somebody a role in a project or a domain, or take it.

    :param scope: "projects" or "domains"; ``owner`` is the id of one
    :param who: "user ID" or "group ID"
    :param method: PUT or DELETE
    """
    kind, _, id = who.partition(" ")
    do(req, method, "identity", path("/v3/{name}/{name}/{name}/{name}/roles/{name}", scope, owner,
                                     "users" if kind == "user" else "groups", id, role))


def remover(scope: str):
    """The handler of an action that takes a role away; its target is a ``key`` of ``members``."""
    def remove(req, id, values, row):
        who, _, role = values["target"].rpartition(" ")
        grant(req, scope, id, who, role, "DELETE")
    return remove
