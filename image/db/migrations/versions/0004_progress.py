"""How far an image's import into its stores is."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade():
    op.add_column("images", sa.Column("progress", sa.JSON(none_as_null=True)))
