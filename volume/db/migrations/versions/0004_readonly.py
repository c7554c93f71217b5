"""Volumes that nobody may write to."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade():
    op.add_column("volumes", sa.Column("readonly", sa.Boolean))
