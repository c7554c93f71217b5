"""The progress that the source of a live migration reports."""

import pytest

from common import context, db
from conductor.db import instances, live_migrations, models, server_migrations
from tests.compute.test_guests import ROW

CTX = context.service_context()
PROGRESS = {"memory_total": 4, "memory_processed": 1, "memory_remaining": 3, "disk_total": 0, "disk_processed": 0,
            "disk_remaining": 0}


@pytest.mark.parametrize(("status", "after"), [
    (live_migrations.PREPARING, live_migrations.RUNNING), (live_migrations.RUNNING, live_migrations.RUNNING),
    (server_migrations.MOVED, server_migrations.MOVED), (server_migrations.COMPLETED, server_migrations.COMPLETED)])
def test_it_does_not_take_a_migration_back(tmp_path, status, after):
    """A report may arrive while the end of the step is recorded."""
    database, at = db.Database("compute", f"sqlite:///{tmp_path}/c.sqlite"), db.now()
    models.METADATA.create_all(database.engine)
    with database.writer() as connection:
        connection.execute(models.instances.insert().values({
            **ROW, "uuid": "s", "host": "one", "power_state": 1, "vm_state": "active", "created_at": at, "updated_at": at}))
        operation_id, migration_id = live_migrations.begin(
            connection, CTX, instances.find(connection, "s"), host=None, force=False, block=None)
        server_migrations.write(connection, migration_id, status=status)
        assert live_migrations.report(connection, operation_id, 1, PROGRESS) == {"current": True, "requested_action": None}
        assert server_migrations.get(connection, migration_id)["status"] == after
