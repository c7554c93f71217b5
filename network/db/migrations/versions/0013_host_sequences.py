"""What a host's agent is told is numbered."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade():
    op.create_table("host_sequences", sa.Column("host", sa.String(255), nullable=False),
                    sa.Column("sequence", sa.BigInteger, nullable=False),
                    sa.PrimaryKeyConstraint("host", name="pk_host_sequences"))
