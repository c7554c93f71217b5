"""Secrets of servers: passwords that are not on their config drives yet, and keys of TPMs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0028"
down_revision = "0027"
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade():
    op.create_table(
        "instance_secrets", sa.Column("instance_uuid", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False), sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("instance_uuid", "kind", name="pk_instance_secrets"),
        sa.ForeignKeyConstraint(["instance_uuid"], ["instances.uuid"], ondelete="CASCADE",
                                name="fk_instance_secrets_instance_uuid"))
