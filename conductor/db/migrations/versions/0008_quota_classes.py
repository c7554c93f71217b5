"""Quotas by class, of which the one named default is what projects have that have none of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade():
    op.create_table(
        "quota_classes", sa.Column("name", sa.String(255), nullable=False), sa.Column("resource", sa.String(64), nullable=False),
        sa.Column("limit", sa.Integer, nullable=False), sa.PrimaryKeyConstraint("name", "resource", name="pk_quota_classes"))
