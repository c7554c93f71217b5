"""Role assignments of users and of their groups, and what they imply."""

import time

import sqlalchemy as sa

from common import rows
from common.db import many
from identity.db import models

USERS, GROUPS = models.assignments, models.group_assignments
ROLES, IMPLIED, MEMBERS = models.roles, models.implied_roles, models.memberships
EXPIRING = models.expiring_memberships


def holder_table(key: dict):
    """The table of a key {"user_id" or "group_id", "target_type", "target_id", "role_id"}."""
    return GROUPS if "group_id" in key else USERS


def above(project_id: str):
    """A subquery (id, domain_id) of a project and those above it."""
    p = models.projects
    chain = sa.select(p.c.id, p.c.parent_id, p.c.domain_id).where(p.c.id == project_id).cte("above", recursive=True)
    return chain.union(sa.select(p.c.id, p.c.parent_id, p.c.domain_id).join(chain, p.c.id == chain.c.parent_id))


def _covers(table, target_type: str, target_id: str, chain):
    """The WHERE of assignments that apply to a target: its own, and for a project those that it inherits.

    :param chain: ``above(target_id)``; the same object in the whole statement, because it has a name there
    """
    own = sa.and_(table.c.target_type == target_type, table.c.target_id == target_id)
    if target_type != "project":
        return own
    return sa.or_(
        own, sa.and_(table.c.target_type == "domain/projects", table.c.target_id.in_(sa.select(chain.c.domain_id))),
        sa.and_(table.c.target_type == "project/projects", table.c.target_id != target_id,
                table.c.target_id.in_(sa.select(chain.c.id))))


def groups_of(user_id: str):
    """A subquery (group_id) of the groups of a user, including those reported by identity providers."""
    return sa.select(MEMBERS.c.group_id).where(MEMBERS.c.user_id == user_id).union(groups_by_provider(user_id))


def groups_by_provider(user_id: str | None, idp_id: str | None = None):
    """A SELECT (group_id) of the groups of a user as reported by all identity providers, or by one, that have not expired."""
    query = sa.select(EXPIRING.c.group_id).where(EXPIRING.c.user_id == user_id, EXPIRING.c.expires_at > time.time())
    return query.where(EXPIRING.c.idp_id == idp_id) if idp_id else query


def holds_until(connection, user_id: str) -> list[float]:
    """The times at which the group memberships of a user that identity providers reported expire."""
    return list(connection.execute(sa.select(EXPIRING.c.expires_at).where(
        EXPIRING.c.user_id == user_id, EXPIRING.c.expires_at > time.time())).scalars())


def roles_on(connection, user_id: str, target_type: str, target_id: str) -> list[dict]:
    """[{"id", "name"}] of a user's roles on a target, including those from groups, inheritance and implication, by name."""
    chain = above(target_id)
    own = sa.select(USERS.c.role_id).where(USERS.c.user_id == user_id, _covers(USERS, target_type, target_id, chain))
    through = sa.select(GROUPS.c.role_id).where(GROUPS.c.group_id.in_(groups_of(user_id)),
                                                _covers(GROUPS, target_type, target_id, chain))
    return implied(connection, many(connection, sa.select(ROLES.c.id, ROLES.c.name, ROLES.c.domain_id).where(
        sa.or_(ROLES.c.id.in_(own), ROLES.c.id.in_(through)))))


def implied(connection, direct: list[dict]) -> list[dict]:
    """Roles [{"id", "name", "domain_id"}] with those that they imply, by name; without roles of domains."""
    if not direct:
        return []
    found = {r["id"]: r for r in direct}
    edges = many(connection, sa.select(IMPLIED.c.prior_role_id, ROLES.c.id, ROLES.c.name, ROLES.c.domain_id)
                 .join(ROLES, ROLES.c.id == IMPLIED.c.implied_role_id))
    grew = True
    while grew:
        more = {e["id"]: e for e in edges if e["prior_role_id"] in found and e["id"] not in found}
        found.update(more)
        grew = bool(more)
    return [{"id": r["id"], "name": r["name"]} for r in sorted(found.values(), key=lambda r: r["name"]) if not r["domain_id"]]


def roles_given(connection, **key) -> list[dict]:
    """The roles that were granted to a user or a group on the target itself.

    :param key: as for ``holder_table``, without "role_id"
    """
    return rows.select(connection, ROLES, ROLES.c.id.in_(sa.select(holder_table(key).c.role_id).filter_by(**key)))


def users_on_project(connection, project_id: str, *conditions) -> list[dict]:
    """The users with a role granted on the project itself."""
    users = models.users
    ids = sa.select(USERS.c.user_id).where(USERS.c.target_type == "project", USERS.c.target_id == project_id)
    return rows.select(connection, users, users.c.id.in_(ids), *conditions)


def add(connection, **key) -> None:
    if not rows.exists(connection, holder_table(key), **key):
        rows.insert(connection, holder_table(key), key)


def remove(connection, **key) -> bool:
    return rows.delete_where(connection, holder_table(key), **key) > 0


def forget_target(connection, target_ids) -> None:
    """Delete all assignments on targets that are deleted, and reset default projects. ``target_ids``: a SELECT or a list."""
    users = models.users
    connection.execute(sa.update(users).where(users.c.default_project_id.in_(target_ids)).values(default_project_id=None))
    for table in (USERS, GROUPS):
        connection.execute(sa.delete(table).where(table.c.target_id.in_(target_ids)))


def targets_of(connection, user_id: str, target_type: str) -> list[str]:
    """The ids of the targets on which a user has a role; of projects also those that inherit it."""
    own = sa.select(USERS.c.target_type, USERS.c.target_id).where(USERS.c.user_id == user_id)
    through = sa.select(GROUPS.c.target_type, GROUPS.c.target_id).where(GROUPS.c.group_id.in_(groups_of(user_id)))
    held: dict[str, set[str]] = {}
    for kind, target in connection.execute(own.union(through)):
        held.setdefault(kind, set()).add(target)
    found = held.get(target_type, set())
    if target_type == "project":
        found |= heirs(connection, held.get("domain/projects", set()), held.get("project/projects", set()))
    return sorted(found)


def below(project_ids: set[str]):
    """A subquery (id) of the projects below these."""
    p = models.projects
    found = sa.select(p.c.id).where(p.c.parent_id.in_(project_ids)).cte("below", recursive=True)
    return found.union(sa.select(p.c.id).join(found, p.c.parent_id == found.c.id))


def heirs(connection, domain_ids: set[str], project_ids: set[str]) -> set[str]:
    """The ids of the projects in these domains, and of those below these projects; one statement at most."""
    p = models.projects
    found = []
    if domain_ids:
        found.append(sa.select(p.c.id).where(p.c.domain_id.in_(domain_ids)))
    if project_ids:
        found.append(sa.select(below(project_ids).c.id))
    return set(connection.execute(sa.union(*found)).scalars()) if found else set()


def assigned(connection, *, user_id: str | None = None, group_id: str | None = None) -> list[dict]:
    """The roles [{"id", "name", "domain_id"}] that a user, also through groups, or a group was given on any target."""
    own = sa.select(USERS.c.role_id).where(USERS.c.user_id == user_id)
    through = sa.select(GROUPS.c.role_id).where(
        GROUPS.c.group_id == group_id if group_id else GROUPS.c.group_id.in_(groups_of(user_id or "")))
    return many(connection, sa.select(ROLES.c.id, ROLES.c.name, ROLES.c.domain_id).where(
        sa.or_(ROLES.c.id.in_(own), ROLES.c.id.in_(through))))


def members(connection, group_id: str) -> list[str]:
    return list(connection.execute(sa.select(MEMBERS.c.user_id).where(MEMBERS.c.group_id == group_id).union(
        sa.select(EXPIRING.c.user_id).where(EXPIRING.c.group_id == group_id))).scalars())


def holders(connection, role_id: str) -> set[str]:
    """The users who have a role, themselves or through a group, assigned or implied by another at any depth."""
    priors = sa.select(IMPLIED.c.prior_role_id).where(IMPLIED.c.implied_role_id == role_id).cte("priors", recursive=True)
    priors = priors.union(sa.select(IMPLIED.c.prior_role_id).join(priors, IMPLIED.c.implied_role_id == priors.c.prior_role_id))

    def of(table):
        return sa.or_(table.c.role_id == role_id, table.c.role_id.in_(sa.select(priors.c.prior_role_id)))
    own = sa.select(USERS.c.user_id).where(of(USERS))
    through = [sa.select(t.c.user_id).join(GROUPS, GROUPS.c.group_id == t.c.group_id).where(of(GROUPS))
               for t in (MEMBERS, EXPIRING)]
    return set(connection.execute(own.union(*through)).scalars())
