"""Roles that belong to a domain."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade():
    with op.batch_alter_table("roles") as batch:
        batch.add_column(sa.Column("domain_id", sa.String(64), nullable=False, server_default=""))
        batch.drop_constraint("uq_roles_name", type_="unique")
        batch.create_unique_constraint("uq_roles_domain_id_name", ["domain_id", "name"])
