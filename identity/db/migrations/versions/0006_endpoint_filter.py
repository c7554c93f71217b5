"""Which endpoints a project sees in its catalog."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
ID = sa.String(64)


def _fk(table, name, target):
    key = sa.ForeignKey(f"{target}.id", name=f"fk_{table}_{name}_{target}"[:60], ondelete="CASCADE")
    return sa.Column(name, ID, key, primary_key=True)


def upgrade():
    op.create_table("endpoint_groups", sa.Column("id", ID, primary_key=True), sa.Column("name", sa.String(255), nullable=False),
                    sa.Column("description", sa.Text), sa.Column("filters", sa.JSON, nullable=False))
    op.create_table("project_endpoints", _fk("project_endpoints", "project_id", "projects"),
                    _fk("project_endpoints", "endpoint_id", "endpoints"))
    op.create_table("project_endpoint_groups", _fk("peg", "project_id", "projects"),
                    _fk("peg", "endpoint_group_id", "endpoint_groups"))
