"""Tags of every resource: a JSON list of strings, as text, so that every database can look into it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade():
    for name in ("networks", "subnetpools", "subnets", "ports", "security_groups", "security_group_rules", "routers",
                 "floatingips"):
        op.add_column(name, sa.Column("tags", sa.Text))
