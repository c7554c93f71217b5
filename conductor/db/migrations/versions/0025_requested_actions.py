"""Names for what is requested of block devices and of live migrations.

Before the first release: later ones must keep the former columns for a release (doc/upgrade.md).
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0025"
down_revision = "0024"
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade():
    op.drop_index("ix_block_devices_wished_at", "block_devices")
    with op.batch_alter_table("block_devices") as batch:
        batch.alter_column("wish", new_column_name="requested_action", existing_type=sa.String(8), existing_nullable=True)
        batch.alter_column("wished_at", new_column_name="requested_at", existing_type=MOMENT, existing_nullable=True)
    op.create_index("ix_block_devices_requested_at", "block_devices", ["requested_at"])
    with op.batch_alter_table("server_migrations") as batch:
        batch.alter_column("wish", new_column_name="requested_action", existing_type=sa.String(8), existing_nullable=True)
