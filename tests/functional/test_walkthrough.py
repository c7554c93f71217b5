"""The README's walk-through, command by command, with the unmodified openstack client."""

import json
import pathlib
import re
import subprocess
import sys

import pytest

from common.periodic import wait_for
from tests.conftest import ROOT

OPENSTACK = pathlib.Path(sys.executable).parent / "openstack"


def commands() -> list[str]:
    """The lines of README's walk-through that start with ``openstack``, continuation lines joined."""
    section = (ROOT / "README.md").read_text().split("## A walk through")[1].split("\n## ")[0]
    text = section.replace("\\\n", " ")
    return [re.sub(r"\s+", " ", line.strip()) for line in text.splitlines() if line.strip().startswith("openstack ")]


def run(cloud, line: str) -> str:
    done = subprocess.run([str(OPENSTACK), *line.split()[1:]], capture_output=True, text=True, env=cloud.environment(),
                          cwd=cloud.state)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.skipif(not OPENSTACK.exists(), reason="python-openstackclient is not installed")
def test_every_command_of_the_walkthrough(cloud):
    lines = commands()
    assert len(lines) >= 20
    key = pathlib.Path(cloud.state, "disk.img")
    key.write_bytes(b"\0" * 65536)
    for line in lines:
        if line.startswith("openstack server remove volume"):
            wait_for(lambda: json.loads(run(cloud, "openstack volume show data -f json"))["status"] == "in-use", 30,
                     every_s=0.5, what="the volume in use")
        if line.startswith("openstack volume delete"):
            wait_for(lambda: json.loads(run(cloud, "openstack volume show data -f json"))["status"] == "available", 30,
                     every_s=0.5, what="the volume available")
        line = line.replace("FLOATING_IP", cloud.client.call("network", "GET", "/floatingips")["floatingips"][-1][
            "floating_ip_address"]) if "FLOATING_IP" in line else line
        run(cloud, line)
