"""The network API of a test module, without a cloud, and its callers.

PILEUS_TEST_DATABASE: MariaDB or PostgreSQL, to run these tests on a server of their own instead of SQLite.
"""

import os

import pytest

from network.db import models
from tests import databases
from tests.network import frame


@pytest.fixture(scope="session")
def server():
    """A database server, or None for SQLite."""
    name = os.environ.get("PILEUS_TEST_DATABASE")
    with databases.running(getattr(databases, name)() if name else None) as made:
        yield made


@pytest.fixture(scope="module")
def network_api(tmp_path_factory, server):
    made = frame.service(str(tmp_path_factory.mktemp("state")), f"{server.url}network" if server else "")
    yield made
    models.METADATA.drop_all(made.db.engine)
    made.db.engine.dispose()


@pytest.fixture(scope="module")
def admin(network_api):
    return frame.Caller(network_api, "admin", "p0")


@pytest.fixture(scope="module")
def member(network_api):
    return frame.Caller(network_api, "member", "p1")


@pytest.fixture(scope="module")
def stranger(network_api):
    return frame.Caller(network_api, "member", "p2")
