"""Uploads of volumes to images."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade():
    op.add_column("volumes", sa.Column("upload_image_id", sa.String(36)))
