"""What is asked of a live migration, and how far it is."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade():
    op.add_column("server_migrations", sa.Column("wish", sa.String(8)))
    op.add_column("server_migrations", sa.Column("progress", sa.JSON(none_as_null=True)))
