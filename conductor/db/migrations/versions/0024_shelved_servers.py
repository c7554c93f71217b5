"""Shelved servers: their images, since when they are shelved, and room for the name of their state."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0024"
down_revision = "0023"
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade():
    for name in ("instances", "deleted_instances"):
        with op.batch_alter_table(name) as batch:
            batch.add_column(sa.Column("shelved_image_id", sa.String(36)))
            batch.add_column(sa.Column("shelved_at", MOMENT))
            batch.alter_column("vm_state", existing_type=sa.String(16), type_=sa.String(32), existing_nullable=False)
