"""Quotas of single users within a project."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade():
    op.create_table(
        "user_quotas", sa.Column("project_id", sa.String(64), nullable=False), sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("resource", sa.String(64), nullable=False), sa.Column("limit", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("project_id", "user_id", "resource", name="pk_user_quotas"))
