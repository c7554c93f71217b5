"""The README's walkthrough, command by command, with the unmodified openstack client."""

import json
import multiprocessing
import os
import pathlib
import re
import sys
import tempfile

from common.periodic import wait_for

README = pathlib.Path(__file__).resolve().parents[1] / "README.md"


# To import the client takes a second, and to run a command a tenth: each runs in a child of a process that has imported it.
CLIENTS = multiprocessing.get_context("forkserver")
CLIENTS.set_forkserver_preload(["openstackclient.shell", "openstack", "pytest"])


def commands() -> list[str]:
    """The lines of README's walkthrough that start with ``openstack``, continuation lines joined."""
    section = README.read_text().split("## Walkthrough")[1].split("\n## ")[0]
    text = section.replace("\\\n", " ")
    return [re.sub(r"\s+", " ", line.strip()) for line in text.splitlines() if line.strip().startswith("openstack ")]


def _openstack(arguments: list[str], environment: dict, directory: pathlib.Path, out: str, err: str) -> None:
    """``openstack`` with these arguments, in a process of its own."""
    from openstackclient import shell
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY), number)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    sys.exit(shell.main(arguments))


def walk(environment: dict, directory: pathlib.Path) -> None:
    """Run every command in ``directory``, which holds ``disk.img``; waits where a reader would look again.

    :raises AssertionError: a command failed, with what it said
    """
    def run(line: str) -> str:
        with tempfile.NamedTemporaryFile("r") as out, tempfile.NamedTemporaryFile("r") as err:
            client = CLIENTS.Process(target=_openstack, args=(line.split()[1:], environment, directory, out.name, err.name))
            client.start()
            client.join()
            said, complaints = out.read(), err.read()
        assert client.exitcode == 0, f"{line}\n{said}{complaints}"
        assert "Traceback" not in complaints
        return said

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
