"""Servers that are on a host hold what they had claimed of it."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade():
    op.execute("INSERT INTO allocations (instance_uuid, host, vcpus, memory_mb, disk_gb, created_at) "
               "SELECT uuid, host, vcpus, memory_mb, disk_gb, updated_at FROM instances WHERE host IS NOT NULL")
