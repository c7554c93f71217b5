"""Virtual environments of their own for the clients and suites of others, each pinned in a file of this directory.

    python -m tests.conformance.environment keystoneclient

makes ``.cache/keystoneclient``.
"""

import pathlib
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache"
# PyPI has Ansible's collections only in one package of 500 MB; we extract the one that we need.
COLLECTIONS, COLLECTION = "ansible==12.3.0", "ansible_collections/openstack/cloud/"


def _commands(venv: pathlib.Path, requirements: list) -> list[list]:
    """What makes the environment: uv, which is ten times quicker, where deploy/lib.sh has installed it."""
    python, uv = venv / "bin/python", pathlib.Path(sys.executable).with_name("uv")
    if uv.exists():
        return [[uv, "venv", "-q", "--clear", "--python", sys.executable, venv],
                [uv, "pip", "install", "-q", "--python", python, *requirements]]
    return [[sys.executable, "-m", "venv", venv],
            [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *requirements]]


def _moved(venv: pathlib.Path) -> bool:
    """Whether the scripts of an environment name an interpreter in another place: a virtual environment cannot be moved."""
    return str(venv) not in (venv / "bin" / "activate").read_text()


def ensure(workdir: pathlib.Path, requirements: str) -> pathlib.Path:
    """The environment's ``bin`` directory, made when it is not there, of another version, or was made in another place.

    :param requirements: the name of a file of this directory, without its ending
    """
    path, workdir = HERE / f"{requirements}.txt", workdir.resolve()
    wanted, stamp = path.read_text(), workdir / "venv" / "installed"
    if not stamp.exists() or stamp.read_text() != wanted or _moved(workdir / "venv"):
        print(f"installing what {path.name} names", flush=True)
        workdir.mkdir(parents=True, exist_ok=True)
        for command in _commands(workdir / "venv", ["setuptools<81", "-r", path]):  # they import what newer ones have dropped
            subprocess.run(command, check=True)
        stamp.write_text(wanted)
    return workdir / "venv" / "bin"


def ensure_collection(workdir: pathlib.Path) -> None:
    """Extract Ansible's modules for OpenStack into ``workdir``, which can then be used as ANSIBLE_COLLECTIONS_PATH."""
    stamp = workdir / "ansible_collections" / "installed"
    if stamp.exists() and stamp.read_text() == COLLECTIONS:
        return
    print(f"extracting openstack.cloud from {COLLECTIONS}", flush=True)
    with tempfile.TemporaryDirectory() as fetched:
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "-d", fetched,
                        COLLECTIONS], check=True)
        with zipfile.ZipFile(next(pathlib.Path(fetched).iterdir())) as wheel:
            wheel.extractall(workdir, [name for name in wheel.namelist() if name.startswith(COLLECTION)])
    stamp.write_text(COLLECTIONS)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        ensure(CACHE / name, name)
        if name == "ansible":
            ensure_collection(CACHE / name)
