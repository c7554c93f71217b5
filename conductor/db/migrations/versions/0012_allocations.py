"""What each server holds of a host."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0012"
down_revision = "0011"
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade():
    op.create_table(
        "allocations", sa.Column("instance_uuid", sa.String(36), nullable=False), sa.Column("host", sa.String(255), nullable=False),
        sa.Column("vcpus", sa.Integer, nullable=False), sa.Column("memory_mb", sa.Integer, nullable=False),
        sa.Column("disk_gb", sa.Integer, nullable=False), sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("instance_uuid", "host", name="pk_allocations"))
    op.create_index("ix_allocations_host", "allocations", ["host"])
