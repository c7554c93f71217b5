"""What a port is to the network service itself, apart from what its owner wrote into device_owner and device_id."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade():
    with op.batch_alter_table("ports") as batch:
        batch.add_column(sa.Column("relation", sa.String(64), nullable=False, server_default=""))
    op.create_index("ix_ports_relation", "ports", ["relation"])
