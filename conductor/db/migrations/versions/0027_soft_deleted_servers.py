"""Since when servers can be restored only."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0027"
down_revision = "0026"
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade():
    for name in ("instances", "deleted_instances"):
        op.add_column(name, sa.Column("soft_deleted_at", MOMENT))
