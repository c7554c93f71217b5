"""Files that clients want in their servers."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade():
    for table in ("instances", "deleted_instances"):
        op.add_column(table, sa.Column("injected_files", sa.JSON(none_as_null=True)))
