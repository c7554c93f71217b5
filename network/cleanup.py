"""Repairs by the audit."""

from common import db, rows
from common.db import Database
from network import roles
from network.db import models, ports


def release_port(database: Database, port_id: str, server_id: str) -> None:
    """Delete the port of a server that is gone, or unbind it if its owner had created it. One that the server has no more is left
    alone: since it was found, it may have been given to another."""
    with database.writer() as connection:
        port = rows.find(connection, models.ports, port_id, relation=roles.SERVER, device_id=server_id)
        if port is None:
            return
        if port["created_for_server"] is False:
            rows.update(connection, models.ports, port_id, {
                **ports.unbound(), "revision_number": port["revision_number"] + 1, "updated_at": db.now()}, resource="Port")
        else:
            ports.release(connection, port_id)
            rows.delete(connection, models.ports, port_id, resource="Port")
