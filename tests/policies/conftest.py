"""The personas of one cloud, for the tests of every service."""

import pytest

from tests.policies.drive import make_home


@pytest.fixture(scope="session")
def home(cloud):
    return make_home(cloud)
