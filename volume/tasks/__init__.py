"""Long operations of the volume agent, one per module."""

import contextlib
import typing

import sqlalchemy as sa

from common import context, errors, units
from common.tasks import Task


class VolumeTask(Task):
    """A task on one row. ``queries`` is the module with its ``move`` function, ``key`` the name of its id in the
    task's state."""

    queries: typing.Any
    key = ""
    failure = ""

    def __init__(self, service):
        self.service = service

    def status(self, state: dict) -> str | None:
        """The current status of the row; None if it has been deleted."""
        table = self.queries.TABLE
        with self.service.db.reader() as connection:
            return connection.execute(sa.select(table.c.status).where(table.c.id == state[self.key])).scalar()

    @units.unit
    def failed(self, step, error, state):
        """Record the failure in the row, unless it has been deleted or its status has changed."""
        if isinstance(error, errors.Superseded):
            return
        table = self.queries.TABLE
        with contextlib.suppress(errors.Error):
            with self.service.db.writer() as connection:
                self.queries.move(connection, state[self.key], self.failure, fault=str(error))
                project = connection.execute(sa.select(table.c.project_id).where(table.c.id == state[self.key])).scalar()
            self.service.notifier.changed(context.active(), table.name.removesuffix("s"), {"project_id": project})
