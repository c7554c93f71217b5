"""The image that a volume is made of."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.add_column("volumes", sa.Column("image_id", sa.String(36)))
