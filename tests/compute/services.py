"""Rows of services, as heartbeats leave them."""

import sqlalchemy as sa

from common import context, db
from conductor.db import models


def add_service(connection, binary: str, host: str, zone: str = "nova", rpc_version: str | None = None) -> None:
    """A service that was heard of just now."""
    connection.execute(sa.insert(models.services).values(
        id=context.new_uuid(), binary=binary, host=host, disabled=False, forced_down=False, zone=zone, updated_at=db.now(),
        rpc_version=rpc_version))
