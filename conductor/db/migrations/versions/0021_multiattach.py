"""A volume may be a device of several servers."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade():
    op.add_column("block_devices", sa.Column("exclusive_volume_id", sa.String(36)))
    op.execute("UPDATE block_devices SET exclusive_volume_id = volume_id")
    op.create_index("ix_block_devices_volume_id", "block_devices", ["volume_id"])
    with op.batch_alter_table("block_devices") as batch:
        batch.drop_constraint("uq_block_devices_volume_id", type_="unique")
        batch.create_unique_constraint("uq_block_devices_exclusive_volume_id", ["exclusive_volume_id"])
        batch.create_unique_constraint("uq_block_devices_instance_uuid_volume_id", ["instance_uuid", "volume_id"])
