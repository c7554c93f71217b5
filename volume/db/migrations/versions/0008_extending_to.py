"""The size that a volume is growing to: until its backend has it, ``size`` is what it really has."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade():
    op.add_column("volumes", sa.Column("extending_to", sa.Integer))
