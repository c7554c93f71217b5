"""Servers that were deleted, kept until they are purged."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0009"
down_revision = "0008"
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade():
    op.create_table(
        "deleted_instances",
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("project_id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("display_name", sa.String(255), nullable=False),
        sa.Column("description", sa.String(255)),
        sa.Column("hostname", sa.String(255), nullable=False),
        sa.Column("image_ref", sa.String(36)),
        sa.Column("flavor", sa.JSON, nullable=False),
        sa.Column("vcpus", sa.Integer, nullable=False),
        sa.Column("memory_mb", sa.Integer, nullable=False),
        sa.Column("disk_gb", sa.Integer, nullable=False),
        sa.Column("vm_state", sa.String(16), nullable=False),
        sa.Column("task_state", sa.String(32)),
        sa.Column("power_state", sa.Integer, nullable=False),
        sa.Column("host", sa.String(255)),
        sa.Column("availability_zone", sa.String(255)),
        sa.Column("key_name", sa.String(255)),
        sa.Column("key_data", sa.Text),
        sa.Column("user_data", sa.Text),
        sa.Column("config_drive", sa.Boolean, nullable=False),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("image_meta", sa.JSON, nullable=False),
        sa.Column("security_groups", sa.JSON, nullable=False),
        sa.Column("requested_networks", sa.JSON, nullable=False),
        sa.Column("network_info", sa.JSON, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("scheduler_hints", sa.JSON, nullable=False),
        sa.Column("server_group_id", sa.String(36)),
        sa.Column("tried_hosts", sa.JSON, nullable=False),
        sa.Column("fault", sa.JSON),
        sa.Column("locked", sa.Boolean, nullable=False),
        sa.Column("root_device_name", sa.String(16), nullable=False),
        sa.Column("access_ip_v4", sa.String(39)),
        sa.Column("access_ip_v6", sa.String(39)),
        sa.Column("disk_config", sa.String(8), nullable=False),
        sa.Column("posted_password", sa.Text),
        sa.Column("rescue_image", sa.JSON),
        sa.Column("locked_by", sa.String(8)),
        sa.Column("locked_reason", sa.String(255)),
        sa.Column("requested_host", sa.String(255)),
        sa.Column("reservation_id", sa.String(32), nullable=False),
        sa.Column("launch_index", sa.Integer, nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("launched_at", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("uuid", name="pk_deleted_instances"))
    for column in ("project_id", "created_at", "updated_at", "deleted_at"):
        op.create_index(f"ix_deleted_instances_{column}", "deleted_instances", [column])
