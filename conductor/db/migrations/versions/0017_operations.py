"""Operations of several hosts, step by step, and the migrations of servers that they carry out."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0017"
down_revision = "0016"
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade():
    op.create_table(
        "operations", sa.Column("id", sa.String(36), nullable=False), sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("instance_uuid", sa.String(36), nullable=False), sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("step", sa.String(32), nullable=False), sa.Column("phase", sa.String(8), nullable=False),
        sa.Column("number", sa.Integer, nullable=False), sa.Column("data", sa.JSON, nullable=False),
        sa.Column("report", sa.JSON), sa.Column("error", sa.Text), sa.Column("lease_holder", sa.String(64)),
        sa.Column("lease_until", MOMENT), sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("step_at", MOMENT, nullable=False), sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("project_id", sa.String(64)), sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False), sa.PrimaryKeyConstraint("id", name="pk_operations"))
    op.create_index("ix_operations_instance_uuid", "operations", ["instance_uuid"])
    op.create_index("ix_operations_due_at", "operations", ["due_at"])
    op.create_table(
        "server_migrations", sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False), sa.Column("instance_uuid", sa.String(36), nullable=False),
        sa.Column("project_id", sa.String(64), nullable=False), sa.Column("user_id", sa.String(64)),
        sa.Column("type", sa.String(16), nullable=False), sa.Column("status", sa.String(32), nullable=False),
        sa.Column("source_host", sa.String(255), nullable=False), sa.Column("dest_host", sa.String(255)),
        sa.Column("vm_state", sa.String(16), nullable=False), sa.Column("old_flavor", sa.JSON, nullable=False),
        sa.Column("new_flavor", sa.JSON, nullable=False), sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False), sa.PrimaryKeyConstraint("id", name="pk_server_migrations"))
    for column in ("uuid", "instance_uuid", "project_id", "status", "updated_at"):
        op.create_index(f"ix_server_migrations_{column}", "server_migrations", [column])
