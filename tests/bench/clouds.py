"""Real clouds whose daemons are killed, and how one goes on using them: shared by the programs beside this."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator

import urllib3

from tests.bench.power_cut import ROOT, deploy_up
from tests.e2e.conftest import RealCloud

API_S = 60  # in which an API answers


@contextlib.contextmanager
def real_cloud(image: str, hosts: int, logs: pathlib.Path | None) -> Iterator[RealCloud]:
    """A cloud under $PILEUS_STATE that is taken away at the end; the daemons' logs are kept in ``logs``."""
    began = time.monotonic()
    state = os.environ["PILEUS_STATE"]
    real = RealCloud(state, deploy_up("--hosts", str(hosts), "--image", image))
    print(f"deploy/up: {time.monotonic() - began:.1f} s", flush=True)
    try:
        yield real
    finally:
        if logs:
            shutil.copytree(pathlib.Path(state, "log"), logs, dirs_exist_ok=True)
    subprocess.run([str(ROOT / "deploy" / "down"), "--yes"], check=True, timeout=120)


class Patient:
    """What a patient user of the cloud does: where an API does not answer, it is asked again."""

    def __init__(self, real):
        self.real = real

    def call(self, service: str, method: str, path: str, body=None):
        """:raises RuntimeError: the API refuses, or does not answer for a minute"""
        deadline = time.monotonic() + API_S
        while True:
            try:
                return self.real.client.call(service, method, path, body)
            except (RuntimeError, urllib3.exceptions.HTTPError) as error:
                if re.search(r": 4\d\d ", str(error)) or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)


def forget_host(client: Patient, host: str) -> None:
    """What an operator does with a host that will not come back."""
    for kind, path in (("compute", f"/os-services?host={host}"), ("network", f"/agents?host={host}")):
        for found in next(iter(client.call(kind, "GET", path).values())):
            client.call(kind, "DELETE", f"{path.partition('?')[0]}/{found['id']}")
