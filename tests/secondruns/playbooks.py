"""Runs playbooks of Ansible's collection openstack.cloud with ``ansible-playbook``, as its users do."""

import json
import os
import pathlib
import re
import subprocess

import pytest

from deploy.first import Cloud
from tests.conformance.environment import CACHE
from tests.secondruns import listing

HERE = pathlib.Path(__file__).resolve().parent / "ansible"
PLAYBOOK = CACHE / "ansible" / "venv" / "bin" / "ansible-playbook"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5nI1qJbqj1nBmDZc1xU7kbBQvS3eY7X0bT2W4VpX9c someone@example.org"
PASSWORD = "of a playbook"


class Ansible:
    """Runs the playbooks in ``ansible/``.

    :param environment: OS_* variables of an administrator
    :param home: a directory for Ansible's own files
    :param image: (path of an image file, its disk format)
    """

    def __init__(self, environment: dict[str, str], home: pathlib.Path, image: tuple[pathlib.Path, str]):
        if not PLAYBOOK.exists():
            pytest.skip("Ansible is not installed: python -m tests.conformance.environment ansible")
        own = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "ANSIBLE_"))}
        # No OS_* variables: the SDK would merge them into the credentials of each task.
        self.environment = own | {
            "ANSIBLE_HOME": str(home), "ANSIBLE_COLLECTIONS_PATH": str(CACHE / "ansible"), "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0", "HOME": str(home)}
        self.values = {
            "ansible_connection": "local", "ansible_python_interpreter": str(PLAYBOOK.parent / "python"),
            "password": PASSWORD, "public_key": KEY, "image": str(image[0]), "image_format": image[1],
            "as_the_operator": _login(environment, environment["OS_USERNAME"], environment["OS_PASSWORD"],
                                      environment["OS_PROJECT_NAME"], "Default"),
            "as_the_user": _login(environment, "second-user", PASSWORD, "second-project", "second-domain")}

    def run(self, name: str) -> list[str]:
        """Returns the names of the tasks that reported "changed". Fails with Ansible's output if a task failed."""
        done = subprocess.run(
            [PLAYBOOK, "-i", "localhost,", "-e", json.dumps(self.values), HERE / f"{name}.yml"], cwd=HERE,
            env=self.environment, capture_output=True, text=True, timeout=1800)
        assert done.returncode == 0, "\n".join(done.stdout.splitlines()[-25:]) + done.stderr[-2000:]
        return re.findall(r"^TASK \[(.*)\] \*+\nchanged: ", done.stdout, re.M)


def _login(environment: dict[str, str], username: str, password: str, project: str, domain: str) -> dict[str, str]:
    return {"auth_url": environment["OS_AUTH_URL"], "username": username, "password": password, "project_name": project,
            "user_domain_name": domain, "project_domain_name": domain}


def three_runs(client: Cloud, ansible: Ansible) -> None:
    """Create everything, do so again, and remove everything."""
    before = listing.everything(client)
    assert len(ansible.run("present")) >= 31
    made = listing.everything(client)
    assert len(made) - len(before) >= 31, "the listing does not see what was made"
    changed = ansible.run("present")
    assert not changed, f"the second run changed {changed}"
    listing.assert_same(made, listing.everything(client))
    ansible.run("absent")
    listing.assert_same(before, listing.everything(client))
