"""The password that a guest posts, encrypted with its owner's key."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    op.add_column("instances", sa.Column("posted_password", sa.Text))
