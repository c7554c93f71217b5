"""The README's walk-through on a cloud without a hypervisor; tests/e2e has it on a real one."""

import pathlib

import pytest

from tests import walkthrough


@pytest.mark.skipif(not walkthrough.OPENSTACK.exists(), reason="python-openstackclient is not installed")
def test_every_command_of_the_walkthrough(cloud, tmp_path):
    pathlib.Path(tmp_path, "disk.img").write_bytes(b"\0" * 65536)
    walkthrough.walk(cloud.environment(), tmp_path)
