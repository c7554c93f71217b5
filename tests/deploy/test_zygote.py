"""Daemons that cannot start: each says why in its log, prevents no other, and starts when the cause is gone."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys

import pytest

from common.periodic import wait_for
from deploy import host, ports, prepare
from deploy.daemons import PORTS
from tests.conftest import OFFSETS, ROOT


@pytest.fixture
def cloud(tmp_path):
    """(state, offset, a function that starts a zygote)"""
    state = str(tmp_path)
    offset = next(o for o in OFFSETS if not ports.conflicts("127.0.0.1", o))
    prepare.write_config(state, transport_url="fake://", host="h", my_ip="127.0.0.1", offset=offset, driver="fake")
    prepare.sync_databases(state)
    prepare.first_rows(state, prepare.ensure_secrets(state), "127.0.0.1", offset)
    os.makedirs(f"{state}/log")
    started = []

    def start(*names: str) -> None:
        started.append(subprocess.Popen([sys.executable, "-m", "deploy.zygote", "--green", "--state", state, *names], cwd=ROOT))
    yield tmp_path, offset, start
    for process in started:
        process.terminate()
        process.wait(30)


def critical(state: pathlib.Path, name: str) -> list[str]:
    path = state / "log" / f"{name}.log"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    assert not any("exception" in line for line in lines if line["level"] == "CRITICAL")
    return [line["message"] for line in lines if line["level"] == "CRITICAL"]


def test_a_daemon_with_a_wrong_file_says_so_and_starts_when_it_is_corrected(cloud):
    state, offset, start = cloud
    wrong = state / "etc" / "image.conf.d" / "own.conf"
    wrong.parent.mkdir()
    wrong.write_text("[DEFAULT]\nworkers = many\n")
    start("image-api", "identity-api")
    said = wait_for(lambda: critical(state, "image-api"), 60, what="the reason")
    assert set(said) == {f"image-api cannot start: {wrong}: [DEFAULT] workers: 'many' is not a whole number"}
    wait_for(lambda: host.answers(PORTS["identity"] + offset), 60, what="the other daemon")
    wrong.write_text("[image]\ndefault_backend = fats\n")  # an error of the service's own checks
    wait_for(lambda: any("default_backend 'fats' is none of the" in text for text in critical(state, "image-api")), 60,
             what="the next reason")
    wrong.write_text("")
    log = state / "log" / "image-api.log"
    wait_for(lambda: "starting image-api" in log.read_text(), 60, what="the daemon")
    assert not critical(state, "identity-api")


def test_a_taken_port_is_named_and_used_when_it_is_free(cloud):
    state, offset, start = cloud
    port = PORTS["image"] + offset
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        start("image-api")
        said = wait_for(lambda: critical(state, "image-api"), 60, what="the reason")
        assert all(f"image-api cannot start: [Errno 98] Address already in use: 127.0.0.1 port {port}" == text for text in said)
    wait_for(lambda: "starting image-api" in (state / "log" / "image-api.log").read_text(), 60, what="the daemon")


def test_a_daemon_that_is_killed_is_logged_and_starts_again(cloud):
    state, _, start = cloud
    log = state / "log" / "image-api.log"
    start("image-api")

    def started() -> list[int]:
        lines = log.read_text().splitlines() if log.exists() else []
        return [int(found[1]) for line in lines if (found := re.search("starting image-api, pid ([0-9]+)", line))]
    (pid,) = wait_for(started, 60, what="the daemon")
    os.kill(pid, signal.SIGBUS)
    wait_for(lambda: len(started()) == 2, 60, what="the next process")
    assert f"image-api, pid {pid}, was ended by signal 7 (Bus error), and is started again" in log.read_text()
