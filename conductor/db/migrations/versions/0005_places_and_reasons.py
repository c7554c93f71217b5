"""The host that an admin asks for, why a server is locked, and how many of a group may share a host."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade():
    op.add_column("instances", sa.Column("locked_reason", sa.String(255)))
    op.add_column("instances", sa.Column("requested_host", sa.String(255)))
    op.add_column("server_groups", sa.Column("max_server_per_host", sa.Integer))
