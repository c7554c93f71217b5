"""Ports that the compute service creates for a server are told from those that it only binds."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade():
    op.add_column("ports", sa.Column("created_for_server", sa.Boolean))
