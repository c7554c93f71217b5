"""The network API of a test module, without a cloud, and its callers."""

import pytest

from tests.network import frame


@pytest.fixture(scope="module")
def network_api(tmp_path_factory):
    made = frame.service(str(tmp_path_factory.mktemp("state")))
    yield made
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
