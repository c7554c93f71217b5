"""Repairs by the audit."""

from common import rows
from common.db import Database
from network.db import models, ports


def release_port(database: Database, port_id: str) -> None:
    with database.writer() as connection:
        ports.release(connection, port_id)
        rows.delete(connection, models.ports, port_id, resource="Port")
