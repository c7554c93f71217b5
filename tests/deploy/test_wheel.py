"""What ``pip install`` installs: every file of the packages and of ``etc``, except what only a clone needs."""

import pathlib
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# The scripts that install a cloud on a host, and what they make the test guest of. They install the clone itself.
OF_CLONES = re.compile(r"deploy/(up|down|test|isolate|lib\.sh|images/rootfs/.*)$")
NOT_PACKAGES = ("tests/", "doc/", ".")
DATA = "share/pileus/"


@pytest.fixture(scope="module")
def tree() -> set[str]:
    """The repository's files, of which git knows or could know."""
    told = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True,
                          check=True).stdout.decode().split("\0")
    return {name for name in told if name and (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def wheel(tree, tmp_path_factory):
    source = tmp_path_factory.mktemp("source")
    for name in tree:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    out = tmp_path_factory.mktemp("wheel")
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", build, str(out)], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    (found,) = out.glob("*.whl")
    with zipfile.ZipFile(found) as opened:
        yield opened


def test_a_wheel_has_every_file(tree, wheel):
    wanted = {name for name in tree if "/" in name and not name.startswith(NOT_PACKAGES) and not OF_CLONES.match(name)}
    inside = [name for name in wheel.namelist() if ".dist-info/" not in name]
    data = f"pileus-{PROJECT['project']['version']}.data/data/{DATA}"
    assert {name.removeprefix(data) for name in inside} == wanted
    assert {name for name in inside if name.startswith(data)} == {data + name for name in wanted if name.startswith("etc/")}


def test_commands_of_a_wheel_are_in_it(wheel):
    """Their modules import nothing that only a clone has."""
    (name,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    told = wheel.read(name).decode()
    for command, target in PROJECT["project"]["scripts"].items():
        assert f"{command} = {target}" in told
        assert target.split(":")[0].replace(".", "/") + ".py" in wheel.namelist()


def test_a_wheel_states_its_licence(wheel):
    (metadata,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    assert "License-Expression: Apache-2.0" in wheel.read(metadata).decode().splitlines()
    (licence,) = (name for name in wheel.namelist() if ".dist-info/" in name and name.endswith("/LICENSE"))
    assert "Version 2.0, January 2004" in wheel.read(licence).decode()
