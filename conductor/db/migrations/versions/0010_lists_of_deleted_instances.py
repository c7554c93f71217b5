"""Indexes by which a project's deleted servers are listed in order, and found by the time of their deletion."""

from alembic import op

revision = "0010"
down_revision = "0009"
TABLE = "deleted_instances"


def upgrade():
    op.create_index(f"ix_{TABLE}_project_id_created_at", TABLE, ["project_id", "created_at"])
    op.create_index(f"ix_{TABLE}_project_id_deleted_at", TABLE, ["project_id", "deleted_at"])
    op.drop_index(f"ix_{TABLE}_project_id", TABLE)
    op.drop_index(f"ix_{TABLE}_updated_at", TABLE)
