"""Host aggregates, and the availability zone that a server must stay in."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0019"
down_revision = "0018"
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade():
    op.create_table(
        "aggregates", sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False), sa.Column("name", sa.String(255), nullable=False),
        sa.Column("metadata", sa.JSON, nullable=False), sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT), sa.PrimaryKeyConstraint("id", name="pk_aggregates"), sa.UniqueConstraint("name", name="uq_aggregates_name"))
    op.create_table(
        "aggregate_hosts", sa.Column("aggregate_id", sa.Integer, nullable=False), sa.Column("host", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("aggregate_id", "host", name="pk_aggregate_hosts"),
        sa.ForeignKeyConstraint(["aggregate_id"], ["aggregates.id"], ondelete="CASCADE", name="fk_aggregate_hosts_aggregate_id"))
    op.create_index("ix_aggregate_hosts_host", "aggregate_hosts", ["host"])
    op.add_column("compute_nodes", sa.Column("aggregates_generation", sa.Integer, nullable=False, server_default="0"))
    for table in ("instances", "deleted_instances"):
        op.add_column(table, sa.Column("pinned_availability_zone", sa.String(255)))
