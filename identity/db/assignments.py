"""Lists of role assignments: direct or effective."""

import sqlalchemy as sa

from common import rows
from identity.db import grants, models


def assigned(connection, holder: str, wanted: dict) -> list[dict]:
    """Direct assignments of users or groups, with all names that may be shown; one statement.

    :param holder: "user" or "group"
    :param wanted: {column of the assignments: value}
    """
    holders = models.users if holder == "user" else models.groups
    roles, projects, domains = models.roles, models.projects, models.domains
    table = grants.holder_table({f"{holder}_id": None})
    holder_domain, project_domain = domains.alias(), domains.alias()
    query = (sa.select(table, holders.c.name.label("holder_name"), holders.c.domain_id.label("holder_domain_id"),
                       holder_domain.c.name.label("holder_domain_name"), roles.c.name.label("role_name"),
                       roles.c.domain_id.label("role_domain_id"), projects.c.name.label("project_name"),
                       projects.c.domain_id.label("project_domain_id"), project_domain.c.name.label("project_domain_name"),
                       domains.c.name.label("domain_name"))
             .join(holders, holders.c.id == table.c[f"{holder}_id"])
             .join(holder_domain, holder_domain.c.id == holders.c.domain_id).join(roles, roles.c.id == table.c.role_id)
             .outerjoin(projects, projects.c.id == table.c.target_id)
             .outerjoin(project_domain, project_domain.c.id == projects.c.domain_id)
             .outerjoin(domains, domains.c.id == table.c.target_id))
    return rows.many(connection, rows.where_equal(query, table, wanted))


def effective(connection, found: list[dict]) -> list[dict]:
    """Effective assignments of users: groups are replaced by their members, inherited assignments by those of the
    projects that inherit them, and implied roles are added."""
    found = _of_members(connection, _of_heirs(connection, found))
    brings = {role_id: grants.implied(connection, [{"id": role_id, "name": name, "domain_id": domain_id}])
              for role_id, name, domain_id in {(r["role_id"], r["role_name"], r["role_domain_id"]) for r in found}}
    grown = {}
    for row in found:
        for role in brings[row["role_id"]]:
            key = row["user_id"], row["target_type"], row["target_id"], role["id"]
            grown[key] = {**row, "role_id": role["id"], "role_name": role["name"]}
    return list(grown.values())


def _of_heirs(connection, found: list[dict]) -> list[dict]:
    """Inherited assignments as those of the projects that inherit them; one statement."""
    inherited = [r for r in found if r["target_type"].endswith("/projects")]
    if not inherited:
        return found
    projects, domains = models.projects, models.domains
    children: dict[str, list[dict]] = {}
    for project in rows.many(connection, sa.select(
            projects.c.id, projects.c.name, projects.c.parent_id, projects.c.domain_id,
            domains.c.name.label("domain_name")).join(domains, domains.c.id == projects.c.domain_id)):
        children.setdefault(project["parent_id"], []).append(project)

    def below(id: str) -> list[dict]:
        # A domain is the parent of its topmost projects.
        return [x for child in children.get(id, []) for x in (child, *below(child["id"]))]
    return [r for r in found if r not in inherited] + [
        {**row, "target_type": "project", "target_id": x["id"], "project_name": x["name"], "project_domain_id": x["domain_id"],
         "project_domain_name": x["domain_name"]} for row in inherited for x in below(row["target_id"])]


def _of_members(connection, found: list[dict]) -> list[dict]:
    """The assignments of groups as those of their members; one statement."""
    users, domains, memberships = models.users, models.domains, models.memberships
    group_ids = {r["group_id"] for r in found if "group_id" in r}
    members = rows.many(connection, sa.select(
        memberships, users.c.name.label("holder_name"), users.c.domain_id.label("holder_domain_id"),
        domains.c.name.label("holder_domain_name")).join(users, users.c.id == memberships.c.user_id)
        .join(domains, domains.c.id == users.c.domain_id).where(memberships.c.group_id.in_(group_ids)))

    def without_group(row: dict) -> dict:
        return {name: value for name, value in row.items() if name != "group_id"}
    return [r for r in found if "group_id" not in r] + [
        {**without_group(r), **without_group(member)} for r in found if "group_id" in r
        for member in members if member["group_id"] == r["group_id"]]
