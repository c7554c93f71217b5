"""A row for each role of an agent, and the host that serves a network's DHCP."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    with op.batch_alter_table("agents") as batch:
        batch.add_column(sa.Column("agent_type", sa.String(64), nullable=False, server_default="Linux bridge agent"))
        batch.drop_constraint("uq_agents_host", type_="unique")
        batch.create_unique_constraint("uq_agents_host_agent_type", ["host", "agent_type"])
    with op.batch_alter_table("networks") as batch:
        batch.add_column(sa.Column("dhcp_host", sa.String(255), nullable=False, server_default=""))
    # Before, each host served DHCP for its own guests; there never was more than one host.
    op.execute("UPDATE networks SET dhcp_host = COALESCE((SELECT host FROM agents LIMIT 1), '')")
