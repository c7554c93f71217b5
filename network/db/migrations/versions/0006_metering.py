"""Labels of traffic that is to be counted, and the rules that say which."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0006"
down_revision = "0005"
ID = sa.String(36)
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def _table(name, *columns):
    op.create_table(
        name, sa.Column("id", ID, primary_key=True), sa.Column("name", sa.String(255), nullable=False),
        sa.Column("project_id", sa.String(64)), sa.Column("description", sa.String(255), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False), sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("revision_number", sa.Integer, nullable=False), sa.Column("tags", sa.Text), *columns)
    op.create_index(f"ix_{name}_project_id", name, ["project_id"])


def upgrade():
    _table("metering_labels", sa.Column("shared", sa.Boolean, nullable=False))
    _table("metering_label_rules", sa.Column("metering_label_id", ID, sa.ForeignKey(
               "metering_labels.id", name="fk_metering_label_rules_metering_label_id_metering_labels", ondelete="CASCADE"),
               nullable=False),
           sa.Column("direction", sa.String(8), nullable=False), sa.Column("source_ip_prefix", sa.String(64)),
           sa.Column("destination_ip_prefix", sa.String(64)), sa.Column("excluded", sa.Boolean, nullable=False))
    op.create_index("ix_metering_label_rules_metering_label_id", "metering_label_rules", ["metering_label_id"])
