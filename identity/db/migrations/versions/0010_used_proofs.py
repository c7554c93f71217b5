"""Signed requests and receipts that were used, so that none is used twice."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade():
    op.create_table("used_proofs", sa.Column("digest", sa.String(64), primary_key=True),
                    sa.Column("expires_at", sa.Float(53), nullable=False))
    op.create_index("ix_used_proofs_expires_at", "used_proofs", ["expires_at"])
