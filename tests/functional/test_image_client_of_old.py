"""The guides' steps with images, by the ``glance`` command of their time: version 1 of the API, a login by v2.0."""

import os
import pty
import subprocess

import pytest

from tests.conformance.environment import CACHE

CLIENT = CACHE / "glanceclient" / "venv" / "bin" / "python"
# What the guides show of a new image, and the one line that later clients add.
SHOWN = {"checksum", "container_format", "created_at", "deleted", "deleted_at", "disk_format", "id", "is_public", "min_disk",
         "min_ram", "name", "owner", "protected", "size", "status", "updated_at", "virtual_size"}


@pytest.fixture
def glance(cloud):
    """``glance(words…)``: the cells of the table that it prints, by row, its head among them."""
    if not CLIENT.exists():
        pytest.skip("the client of old is not installed (deploy/test does that)")
    given = cloud.environment()
    mine = {"OS_AUTH_URL": given["OS_AUTH_URL"].replace("/v3", "/v2.0"), "OS_USERNAME": "admin", "OS_TENANT_NAME": "admin",
            "OS_PASSWORD": given["OS_PASSWORD"], "OS_REGION_NAME": "RegionOne", "PYTHONWARNINGS": "ignore"}

    keyboard, terminal = pty.openpty()  # any other input would be taken for an image's data

    def run(*words: str, fails: bool = False) -> list[list[str]]:
        done = subprocess.run([CLIENT, "-c", "import sys; from glanceclient.shell import main; sys.exit(main())",
                               "--os-image-api-version", "1", *words], capture_output=True, text=True, timeout=180,
                              stdin=terminal, env={**{k: v for k, v in os.environ.items() if not k.startswith("OS_")}, **mine})
        assert bool(done.returncode) == fails, done.stdout + done.stderr
        lines = [line.strip().strip("|") for line in done.stdout.splitlines() if line.startswith("|")]
        return [[cell.strip() for cell in line.split("|")] for line in lines]
    yield run
    os.close(keyboard)
    os.close(terminal)


def test_the_guide_with_images(glance, cloud, tmp_path):
    (tmp_path / "disk.img").write_bytes(b"\1" * 5000)
    made = dict(glance("image-create", "--name", "cirros-0.3.0", "--is-public=true", "--container-format=bare",
                       "--disk-format=raw", "--file", str(tmp_path / "disk.img"), "--property", "kernel_id=a b"))
    assert set(made) == SHOWN | {"Property", "Property 'kernel_id'"} and made["Property 'kernel_id'"] == "a b"
    assert (made["is_public"], made["size"], made["status"], made["deleted"]) == ("True", "5000", "active", "False")
    image = made["id"]
    head, *rows = glance("image-list")
    assert head == ["ID", "Name", "Disk Format", "Container Format", "Size", "Status"]
    assert [image, "cirros-0.3.0", "raw", "bare", "5000", "active"] in rows
    assert dict(glance("image-show", "cirros-0.3.0"))["id"] == image
    glance("image-download", "--file", str(tmp_path / "back"), image)
    assert (tmp_path / "back").read_bytes() == b"\1" * 5000
    changed = dict(glance("image-update", image, "--name", "Größe", "--is-public", "False", "--property", "other=1"))
    assert (changed["name"], changed["is_public"]) == ("Größe", "False") and changed["Property 'kernel_id'"] == "a b"
    project = cloud.client.project_id
    glance("member-create", image, project)
    assert glance("member-list", "--image-id", image)[1:] == [[image, project, ""]]
    assert [image, project, ""] in glance("member-list", "--tenant-id", project)
    glance("member-delete", image, project)
    assert glance("member-list", "--image-id", image)[1:] == []
    glance("image-delete", image)
    glance("image-show", image, fails=True)
