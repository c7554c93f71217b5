"""When what nobody works on was last sent again: of several schedulers one does it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0009"
down_revision = "0008"
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade():
    for table in ("volumes", "snapshots"):
        op.add_column(table, sa.Column("resent_at", MOMENT))
