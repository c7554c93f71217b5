"""Attempts at operations on servers are numbered, so that reports of an old one can be told from those of the newest."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade():
    for table in ("instances", "deleted_instances"):
        op.add_column(table, sa.Column("attempt", sa.Integer, nullable=False, server_default="0"))
