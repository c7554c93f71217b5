"""An Ansible playbook and a program that uses openstacksdk, three times each, on a real cloud.

Runs only with ``PILEUS_SECOND_RUNS=1 deploy/test``, because it takes minutes; tests/secondruns does the same on the fake cloud.
"""

import os
import pathlib

import pytest

from tests.secondruns import playbooks, sdk

pytestmark = [pytest.mark.e2e, pytest.mark.skipif("PILEUS_SECOND_RUNS" not in os.environ, reason="PILEUS_SECOND_RUNS is not set")]


@pytest.fixture
def image() -> tuple[pathlib.Path, str]:
    return pathlib.Path(os.environ["PILEUS_GUEST_IMAGE"]), "qcow2"


def test_three_runs_of_a_playbook(real, tmp_path, image):
    playbooks.three_runs(real.client, playbooks.Ansible(real.environment(), tmp_path, image))
    real.audit()


def test_three_runs_of_a_program(real, image):
    sdk.three_runs(real.client, real.environment(), image)
    real.audit()
