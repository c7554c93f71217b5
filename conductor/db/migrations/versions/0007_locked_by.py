"""Who locked a server: its owner, or an administrator whose lock the owner may not take off."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade():
    op.add_column("instances", sa.Column("locked_by", sa.String(8)))
