"""``availability_zone`` was the zone that was asked for; it becomes the zone of the server's host."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
_SERVERS = sa.table("instances", *map(sa.column, ("host", "availability_zone", "pinned_availability_zone")))
_SERVICES = sa.table("services", *map(sa.column, ("host", "binary", "zone")))


def upgrade():
    op.execute(sa.update(_SERVERS).values(pinned_availability_zone=_SERVERS.c.availability_zone))
    zone = sa.select(_SERVICES.c.zone).where(_SERVICES.c.host == _SERVERS.c.host, _SERVICES.c.binary == "nova-compute")
    op.execute(sa.update(_SERVERS).where(_SERVERS.c.host.is_not(None)).values(
        availability_zone=sa.func.coalesce(zone.scalar_subquery(), _SERVERS.c.availability_zone)))
