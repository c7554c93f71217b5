"""Subnet pools, and which pool a subnet came from."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"
ID = sa.String(36)
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade():
    op.create_table(
        "subnetpools", sa.Column("id", ID, primary_key=True), sa.Column("name", sa.String(255), nullable=False),
        sa.Column("project_id", sa.String(64)), sa.Column("description", sa.String(255), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False), sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("revision_number", sa.Integer, nullable=False), sa.Column("ip_version", sa.Integer, nullable=False),
        sa.Column("prefixes", sa.JSON, nullable=False), sa.Column("default_prefixlen", sa.Integer, nullable=False),
        sa.Column("min_prefixlen", sa.Integer, nullable=False), sa.Column("max_prefixlen", sa.Integer, nullable=False),
        sa.Column("shared", sa.Boolean, nullable=False), sa.Column("is_default", sa.Boolean, nullable=False),
        sa.Column("default_quota", sa.Integer))
    op.create_index("ix_subnetpools_project_id", "subnetpools", ["project_id"])
    with op.batch_alter_table("subnets") as batch:
        batch.add_column(sa.Column("subnetpool_id", ID))
        batch.create_foreign_key("fk_subnets_subnetpool_id_subnetpools", "subnetpools", ["subnetpool_id"], ["id"])
        batch.create_index("ix_subnets_subnetpool_id", ["subnetpool_id"])
