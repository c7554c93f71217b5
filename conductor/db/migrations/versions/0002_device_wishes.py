"""What a volume's device still wants done, and since when: a lost message is sent again."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade():
    op.add_column("block_devices", sa.Column("wish", sa.String(8)))
    op.add_column("block_devices", sa.Column("wished_at", MOMENT))
    op.add_column("block_devices", sa.Column("request_id", sa.String(64)))
    op.create_index("ix_block_devices_wished_at", "block_devices", ["wished_at"])
