"""Long work of the volume agent, one operation a module."""

import contextlib
import typing

import sqlalchemy as sa

from common import errors, units
from common.tasks import Task


class VolumeTask(Task):
    """A task on one row. ``queries`` is its module of states (``move``), ``key`` names its id in the task's state."""

    queries: typing.Any
    key = ""
    failure = ""

    def __init__(self, service):
        self.service = service

    def status(self, state: dict) -> str | None:
        """The row's status now; None where the row is gone."""
        table = self.queries.TABLE
        with self.service.db.reader() as connection:
            return connection.execute(sa.select(table.c.status).where(table.c.id == state[self.key])).scalar()

    @units.unit
    def failed(self, step, error, state):
        """Write the failure into the row, unless the row is gone or in other hands."""
        if isinstance(error, errors.Superseded):
            return
        with self.service.db.writer() as connection, contextlib.suppress(errors.Error):
            self.queries.move(connection, state[self.key], self.failure, fault=str(error))
