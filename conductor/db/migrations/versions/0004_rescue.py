"""The image that a server is rescued with."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade():
    op.add_column("instances", sa.Column("rescue_image", sa.JSON))
