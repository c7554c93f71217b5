"""Virtual environments of their own for the clients and suites of others, each pinned in a file of this directory.

    python -m tests.conformance.environment keystoneclient

makes ``.cache/keystoneclient``.
"""

import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache"


def ensure(workdir: pathlib.Path, requirements: str) -> pathlib.Path:
    """The environment's ``bin`` directory, made when it is not there or of another version.

    :param requirements: the name of a file of this directory, without its ending
    """
    path = HERE / f"{requirements}.txt"
    wanted, stamp = path.read_text(), workdir / "venv" / "installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing what {path.name} names", flush=True)
        workdir.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", workdir / "venv"], check=True)
        # They import what newer setuptools have dropped.
        subprocess.run([workdir / "venv/bin/pip", "install", "-q", "--disable-pip-version-check", "setuptools<81", "-r", path],
                       check=True)
        stamp.write_text(wanted)
    return workdir / "venv" / "bin"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        ensure(CACHE / name, name)
