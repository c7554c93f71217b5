"""Domains and their content."""

import sqlalchemy as sa

from identity.db import grants, models


def delete_contents(connection, domain_id: str) -> None:
    """Delete everything in a domain, and every assignment on it and on its projects."""
    projects = models.projects
    grants.forget_target(connection, sa.select(projects.c.id).where(projects.c.domain_id == domain_id))
    grants.forget_target(connection, [domain_id])
    for table in (models.identity_providers, models.groups, models.users, projects, models.roles):
        connection.execute(sa.delete(table).where(table.c.domain_id == domain_id))
