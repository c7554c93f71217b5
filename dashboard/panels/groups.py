"""Groups of users."""

from common.rest import path
from dashboard import forms
from dashboard.asks import do, get, together
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Panel, Source, Tab, Table
from dashboard.panels.domains import DOMAINS, domain_fields
from dashboard.panels.fields import DESCRIPTION, TARGET, deletion, name_and_description
from dashboard.texts import Text


def _create_group(req, values: dict) -> str:
    do(req, "POST", "identity", path("/v3/groups"), {"group": {k: v for k, v in values.items() if v != ""}})
    return Text("{name} was created.", name=values["name"])


def _user_fields(req, row):
    found = together(req, users=get("identity", path("/v3/users"), "users"),
                     present=get("identity", path("/v3/groups/{name}/users", row["id"]), "users"))
    present = {u["id"] for u in found["present"]}
    return [Field("user", "User", "choice", True, options=forms.named(u for u in found["users"] if u["id"] not in present))]


PANEL = Panel(
    path="/identity/groups", title="Groups", noun="group", menu="Identity", admin=True,
    source=Source("identity", lambda query: path("/v3/groups", query=query), "groups", pages=False, sort=("name", "asc")),
    columns=(Column("Name", "name", "link", "name"), Column("Description", "description"),
             Column("Domain", "domain_id", "domain"), Column("ID", "id", "code")),
    filters=(DOMAINS,),
    actions=(
        Action("edit", "Edit", lambda req, id, values, row: do(req, "PATCH", "identity", path("/v3/groups/{name}", id), {
            "group": values}), name_and_description, done="{name} was changed."),
        Action("user", "Add user", lambda req, id, values, row: do(req, "PUT", "identity", path(
            "/v3/groups/{name}/users/{name}", id, values["user"])), _user_fields, done="The user was added."),
        Action("remove-user", "Remove", lambda req, id, values, row: do(req, "DELETE", "identity", path(
            "/v3/groups/{name}/users/{name}", id, values["target"])), (TARGET,), title="Remove user",
            hidden=True, danger="danger",
            ask="The user loses the roles of {name}.", done="The user was removed."),
        deletion("identity", lambda id: path("/v3/groups/{name}", id), bulk=True,
                 ask="{name} is deleted, and its users lose the roles that it has.")),
    item=lambda req, id: get("identity", path("/v3/groups/{name}", id), "group"),
    tabs=(Tab("users", "Users", lambda req, id: {"users": get("identity", path("/v3/groups/{name}/users", id), "users")},
              tables=(Table("Users", lambda found, row: found["users"], (
                  Column("Name", lambda u: [(f"/identity/users/{u['id']}/", u["name"])], "links"), Column("ID", "id", "code")),
                            "This group has no users. Those that you add get the roles of the group.",
                            actions=("remove-user",), add=("user",)),)),),
    create=Create("Create group", lambda req: [Field("name", "Name", required=True, max_length=64), DESCRIPTION,
                                               *domain_fields(req)], _create_group),
    empty="There are no groups yet. What is allowed to a group is allowed to all its users.")
