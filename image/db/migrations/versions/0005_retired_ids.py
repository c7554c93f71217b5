"""Ids of images that were deleted, so that none is given again."""

import sqlalchemy as sa
from alembic import op

from common.db import MOMENT

revision = "0005"
down_revision = "0004"


def upgrade():
    op.create_table(
        "retired_ids", sa.Column("id", sa.String(36), nullable=False),
        sa.Column("deleted_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_retired_ids"))
