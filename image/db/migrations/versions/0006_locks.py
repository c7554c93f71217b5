"""Names that transactions hold while they count or choose."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade():
    op.create_table("locks", sa.Column("name", sa.String(255), primary_key=True), sa.Column("turn", sa.BigInteger, nullable=False))
