"""A volume may have several attachments."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade():
    # First, since MariaDB needs an index for the foreign key at every moment.
    op.create_index("ix_attachments_volume_id", "attachments", ["volume_id"])
    with op.batch_alter_table("attachments") as batch:
        batch.drop_constraint("uq_attachments_volume_id", type_="unique")
