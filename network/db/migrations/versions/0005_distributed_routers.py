"""Routers that are on every host with guests of theirs."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade():
    with op.batch_alter_table("routers") as batch:
        batch.add_column(sa.Column("distributed", sa.Boolean, nullable=False, server_default=sa.false()))
