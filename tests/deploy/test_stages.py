"""``deploy/test`` itself: it fails when one of its stages does, and ends what it began. Small scripts stand for the stages."""

import os
import pathlib
import shutil
import subprocess

import pytest

from common.periodic import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = """case "$*" in
    *"not alone"*) exec sh -c "${BACKGROUND:-exit 0}" ;;
    *"-m alone"*) exec sh -c "${ALONE:-exit 0}" ;;
esac"""
FILES = {"deploy/lib.sh": 'install_all() { :; }\nsay() { echo "$*"; }', "deploy/isolate": 'exec sh -c "${GUESTS:-exit 0}"',
         "deploy/images/x": "", "cache/guest.qcow2": "", "tests/e2e/debian_image.py": "", "cache/debian/disk.qcow2": "",
         "venv/bin/python": PYTHON, "venv/bin/ruff": "", "venv/bin/mypy": "", "soon/timeout": 'shift 2; exec timeout -k 1 2 "$@"'}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="deploy/test takes root")


@pytest.fixture
def begin(tmp_path):
    """Start ``deploy/test``, on a host whose /var/tmp is its own."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n".replace("exec timeout", f"exec {shutil.which('timeout')}"))
        path.chmod(0o755)
    shutil.copy(ROOT / "deploy" / "test", tmp_path / "deploy")

    def begin(*words: str, soon: bool = False, **stages: str) -> subprocess.Popen:
        """:param soon: the time that the background has is short"""
        environment = {**os.environ, **stages, "PILEUS_VENV": f"{tmp_path}/venv", "PILEUS_TEST_CACHE": f"{tmp_path}/cache"}
        if soon:
            environment["PATH"] = f"{tmp_path}/soon:{environment['PATH']}"
        command = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /var/tmp; exec "$@"', "sh", f"{tmp_path}/deploy/test"]
        return subprocess.Popen([*command, *words], env=environment, stdout=subprocess.PIPE, text=True)
    return begin


@pytest.mark.parametrize("words, stages, passes, says", [
    ((), {"BACKGROUND": "echo well"}, True, "well"), ((), {"BACKGROUND": "echo bad; exit 1"}, False, "bad"),
    ((), {"BACKGROUND": "kill -9 $$"}, False, "some failed"), ((), {"GUESTS": "exit 1", "ALONE": "echo on"}, False, "on\n"),
    ((), {"ALONE": "exit 1"}, False, "some failed"), ((), {"BACKGROUND": "exit 5"}, False, "some failed"),
    (("-k", "some"), {"BACKGROUND": "exit 5"}, True, "all passed"), (("-k", "some"), {"ALONE": "exit 5"}, True, "all passed")])
def test_it_fails_with_each_of_its_stages(begin, words, stages, passes, says):
    run = begin(*words, **stages)
    said = run.communicate(timeout=180)[0]
    assert (run.returncode == 0) is passes and says in said


def test_a_background_that_hangs_is_ended(begin):
    run = begin(soon=True, BACKGROUND="echo in test_x; sleep 1000")
    said = run.communicate(timeout=180)[0]
    assert run.returncode == 1 and "in test_x" in said and "did not end within" in said


def is_running(pid: str) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_nothing_goes_on_in_the_background_when_it_is_ended(begin, tmp_path):
    file = tmp_path / "pid"
    run = begin(BACKGROUND=f"sleep 1000 & echo $! >{file}; wait", GUESTS="sleep 5; exit 1")
    wait_for(lambda: file.exists() and file.read_text(), 60, what="the background")
    pid = file.read_text().strip()
    assert is_running(pid)
    run.terminate()
    assert run.wait(60) != 0
    wait_for(lambda: not is_running(pid), 30, what="its end")
