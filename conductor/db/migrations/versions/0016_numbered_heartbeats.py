"""Heartbeats of compute hosts are numbered, and a report that repeats the last one is known by its digest."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade():
    op.add_column("services", sa.Column("report_sequence", sa.BigInteger))
    op.add_column("compute_nodes", sa.Column("report_digest", sa.String(40)))
