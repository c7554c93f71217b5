"""The README's walkthrough, command by command, with the unmodified openstack client."""

import json
import pathlib
import re
import subprocess
import sys

from common.periodic import wait_for

OPENSTACK = pathlib.Path(sys.executable).parent / "openstack"
README = pathlib.Path(__file__).resolve().parents[1] / "README.md"


def commands() -> list[str]:
    """The lines of README's walkthrough that start with ``openstack``, continuation lines joined."""
    section = README.read_text().split("## Walkthrough")[1].split("\n## ")[0]
    text = section.replace("\\\n", " ")
    return [re.sub(r"\s+", " ", line.strip()) for line in text.splitlines() if line.strip().startswith("openstack ")]


def walk(environment: dict, directory: pathlib.Path) -> None:
    """Run every command in ``directory``, which holds ``disk.img``; waits where a reader would look again.

    :raises AssertionError: a command failed, with what it said
    """
    def run(line: str) -> str:
        done = subprocess.run([str(OPENSTACK), *line.split()[1:]], capture_output=True, text=True, env=environment,
                              cwd=directory)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout

    def wait(status: str) -> None:
        wait_for(lambda: json.loads(run("openstack volume show data -f json"))["status"] == status, 60, every_s=0.5,
                 what=f"the volume to be {status}")
    lines, address = commands(), ""
    assert len(lines) >= 20
    for line in lines:
        if line.startswith("openstack server remove volume"):
            wait("in-use")
        if line.startswith(("openstack server add volume", "openstack volume delete")):
            wait("available")
        if line.startswith("openstack floating ip create"):
            address = json.loads(run(line + " -f json"))["floating_ip_address"]
        else:
            run(line.replace("FLOATING_IP", address))
