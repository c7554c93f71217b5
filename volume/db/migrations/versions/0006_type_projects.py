"""Projects that may use private volume types."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade():
    op.create_table(
        "volume_type_projects",
        sa.Column("volume_type_id", sa.String(36), sa.ForeignKey(
            "volume_types.id", name="fk_volume_type_projects_volume_type_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("project_id", sa.String(255), primary_key=True))
