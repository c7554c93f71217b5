"""Revocations on database servers, where transactions go on beside each other."""

import threading

import pytest
import sqlalchemy as sa

from common import db, migrate
from identity.db import models, revocations
from tests import databases


@pytest.fixture(params=[databases.MariaDB, databases.PostgreSQL])
def database(request):
    server = request.param()
    try:
        server.make()
        migrate.sync("identity.db", server.url + "identity")
        made = db.Database("identity", server.url + "identity")
        yield made
        made.engine.dispose()
    finally:
        server.stop()


def test_no_event_hides_behind_a_later_one_that_was_written_sooner(database):
    """As when a large group is deleted while somebody logs out: who pulls then asks for what comes after the logout."""
    pulled: list[dict] = []

    def pull():
        with database.reader() as connection:
            last = max((e["id"] for e in pulled), default=0)
            pulled.extend(revocations.after(connection, last))
    other = threading.Thread(target=database.transact, args=(revocations.add, 3600), kwargs={"user_id": "other"})
    with database.writer() as connection:
        for number in range(2 * revocations.OVERLAP):
            revocations.add(connection, 3600, user_id=f"member-{number}")
        other.start()
        other.join(1)
        puller = threading.Thread(target=pull)
        puller.start()
        puller.join(5)
    other.join(10)
    pull()
    with database.reader() as connection:
        written = connection.execute(sa.select(models.revocations.c.user_id)).scalars().all()
    assert len(written) == 2 * revocations.OVERLAP + 1 and {e["user_id"] for e in pulled} == set(written)
