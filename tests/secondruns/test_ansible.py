"""An Ansible playbook: the second run changes nothing, and the third, with everything absent, leaves nothing."""

import os

from tests.secondruns import playbooks


def test_three_runs_of_a_playbook(cloud, tmp_path):
    image = tmp_path / "image"
    image.write_bytes(os.urandom(100_000))
    playbooks.three_runs(cloud.client, playbooks.Ansible(cloud.environment(), tmp_path, (image, "raw")))
