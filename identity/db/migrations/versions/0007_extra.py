"""Attributes that clients add."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade():
    for name in ("domains", "projects", "users", "roles", "groups", "services", "endpoints"):
        op.add_column(name, sa.Column("extra", sa.Text))
