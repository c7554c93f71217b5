"""Agents say which version of their RPC interface they answer."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade():
    op.add_column("agents", sa.Column("rpc_version", sa.String(8)))
