"""Where else the bytes of an image are."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    op.add_column("images", sa.Column("locations", sa.JSON(none_as_null=True)))
