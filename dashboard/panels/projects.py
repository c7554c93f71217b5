"""Projects, with their members and quotas."""

import datetime

from common.rest import path
from dashboard.asks import Ask, do, get
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Panel, Row, Source, Tab, Table
from dashboard.panels.domains import DOMAINS, domain_fields
from dashboard.panels.fields import DESCRIPTION, TARGET, deletion, enabled, name_and_description
from dashboard.panels.members import MEMBER_COLUMNS, assignments, grant, member_fields, members, remover
from dashboard.panels.quotas import quota_fields, set_quotas, used_quotas, used_rows
from dashboard.texts import Text


def _project(req, id: str, values: dict) -> None:
    do(req, "PATCH", "identity", path("/v3/projects/{name}", id), {"project": values})


def _create_project(req, values: dict) -> str:
    do(req, "POST", "identity", path("/v3/projects"), {"project": {k: v for k, v in values.items() if v != ""}})
    return Text("{name} was created.", name=values["name"])


_DAYS = 30


def _usage(req, id: str) -> dict[str, Ask]:
    since = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=_DAYS)
    return {**used_quotas(id), "usage": get("compute", path("/v2.1/os-simple-tenant-usage/{name}", id, query={
        "start": since.strftime("%Y-%m-%dT%H:%M:%S")}), "tenant_usage", instead={})}


def _used(found: dict, row: Row) -> list[Row]:
    return used_rows(found)


def _hours(found: dict, row: Row) -> list[Row]:
    return sorted(found["usage"].get("server_usages", ()), key=lambda s: -s["hours"])


PANEL = Panel(
    path="/identity/projects", title="Projects", noun="project", menu="Identity", admin=True,
    source=Source("identity", lambda query: path("/v3/projects", query=query), "projects", pages=False, sort=("name", "asc")),
    columns=(Column("Name", "name", "link", "name"), Column("Description", "description"),
             Column("Domain", "domain_id", "domain"), Column("Enabled", "enabled", "yes"), Column("ID", "id", "code")),
    filters=(DOMAINS,),
    actions=(
        Action("edit", "Edit", lambda req, id, values, row: _project(req, id, values), name_and_description,
               done="{name} was changed."),
        Action("member", "Add member", lambda req, id, values, row: grant(
            req, "projects", id, values["who"], values["role"], "PUT"),
               lambda req, row: member_fields(req), tab="members", done="The role was given."),
        Action("remove-member", "Remove", remover("projects"), (TARGET,), title="Take role away",
               hidden=True, danger="danger", tab="members",
               ask="The role in {name} is taken away, and tokens that have it end.", done="The role was taken away."),
        Action("quotas", "Edit quotas", set_quotas, quota_fields, ask="{name} may have at most this. -1 is unlimited.",
               done="The quotas of {name} were changed."),
        Action("disable", "Disable", lambda req, id, values, row: _project(req, id, {"enabled": False}), when=enabled,
               danger="danger", ask="Nobody can work in {name} any more. Its instances keep running.",
               done="{name} is disabled."),
        Action("enable", "Enable", lambda req, id, values, row: _project(req, id, {"enabled": True}),
               when=lambda row: not row["enabled"], done="{name} is enabled."),
        deletion("identity", lambda id: path("/v3/projects/{name}", id), danger="name",
                 ask="{name} is deleted. What it owns in other services stays there, and belongs to "
                     "nobody: delete it first.")),
    item=lambda req, id: get("identity", path("/v3/projects/{name}", id), "project"),
    tabs=(Tab("overview", "Overview", facts=(("Project", (
        Column("ID", "id", "code"), Column("Description", "description"), Column("Domain", "domain_id", "domain"),
        Column("Enabled", "enabled", "yes"), Column("Tags", "tags", "lines"))),)),
        Tab("members", "Members", lambda req, id: assignments({"scope.project.id": id}), tables=(Table(
            "Members", members, MEMBER_COLUMNS, "This project has no members. Add those who are to work in it.", target="key",
            actions=("remove-member",),
            add=("member",)),)),
        Tab("usage", "Usage", _usage, tables=(
            Table("Quotas", _used, (Column("Quota", "text"), Column("Used", lambda r: (r["used"], r["limit"]), "bar")),
                  "No service tells the quotas now. Open this page again in a moment."),
            Table("Instances of the last 30 days", _hours, (
                Column("Name", "name"), Column("Flavor", "flavor"), Column("VCPUs", "vcpus"), Column("RAM", "memory_mb", "mib"),
                Column("Disk", "local_gb", "gib"), Column("Hours", "hours", "hours"),
                Column("State", "state", "status")),
                "There were no instances. Those that run are listed here with their hours.", target="instance_id")))),
    create=Create("Create project", lambda req: [Field("name", "Name", required=True, max_length=64), DESCRIPTION,
                                                 *domain_fields(req)], _create_project),
    empty="There are no projects yet. Whatever there is in a cloud belongs to one.")
