"""What the tests of every service's policies need: OpenStack's own rules, and the personas of one cloud."""

import subprocess

import pytest

from tests.policies import reference
from tests.policies.runner import make_home


@pytest.fixture(scope="session", autouse=True)
def openstacks_rules():
    try:
        return reference.ensure()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"OpenStack's packages, which tell its rules, cannot be installed here: {error}")


@pytest.fixture(scope="module")
def home(cloud):
    return make_home(cloud)
