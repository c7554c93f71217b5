"""Volumes that several servers may use at once."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade():
    op.add_column("volumes", sa.Column("multiattach", sa.Boolean, nullable=False, server_default=sa.false()))
