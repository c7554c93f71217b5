"""Services say which version of their RPC interface they answer."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade():
    op.add_column("services", sa.Column("rpc_version", sa.String(8)))
