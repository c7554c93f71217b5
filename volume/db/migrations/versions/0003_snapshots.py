"""Snapshots, and what a volume was made of."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"
ID = sa.String(36)
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade():
    op.add_column("volumes", sa.Column("snapshot_id", ID))
    op.add_column("volumes", sa.Column("source_volid", ID))
    op.create_table(
        "snapshots", sa.Column("id", ID, primary_key=True), sa.Column("name", sa.String(255)),
        sa.Column("description", sa.String(255)), sa.Column("project_id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("volume_id", ID, sa.ForeignKey("volumes.id", name="fk_snapshots_volume_id"), nullable=False),
        sa.Column("volume_size", sa.Integer, nullable=False), sa.Column("status", sa.String(32), nullable=False),
        sa.Column("fault", sa.Text), sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False), sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False))
    for name in ("project_id", "volume_id", "status"):
        op.create_index(f"ix_snapshots_{name}", "snapshots", [name])
