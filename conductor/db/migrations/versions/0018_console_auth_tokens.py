"""Tokens that open consoles of servers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0018"
down_revision = "0017"
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade():
    op.create_table(
        "console_auth_tokens", sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("instance_uuid", sa.String(36), nullable=False), sa.Column("console_type", sa.String(16), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False), sa.Column("user_id", sa.String(64)),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_console_auth_tokens"),
        sa.ForeignKeyConstraint(["instance_uuid"], ["instances.uuid"], ondelete="CASCADE",
                                name="fk_console_auth_tokens_instance_uuid"))
    op.create_index("ix_console_auth_tokens_instance_uuid", "console_auth_tokens", ["instance_uuid"])
    op.create_index("ix_console_auth_tokens_expires_at", "console_auth_tokens", ["expires_at"])
