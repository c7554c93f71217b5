"""Ports are plugged on two hosts while their server is migrated live."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade():
    op.add_column("ports", sa.Column("binding_migrating_to", sa.String(255), nullable=False, server_default=""))
    op.create_index("ix_ports_binding_migrating_to", "ports", ["binding_migrating_to"])
