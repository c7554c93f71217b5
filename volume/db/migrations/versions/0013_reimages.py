"""New images on existing volumes."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade():
    op.add_column("volumes", sa.Column("reimage_metadata", sa.JSON))
