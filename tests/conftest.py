"""Shared fixtures: a whole cloud without a hypervisor, in a process and a state directory of its own."""

import contextlib
import itertools
import os
import pathlib
import subprocess
import sys
import urllib.request

import hypothesis
import pytest

from common.periodic import wait_for
from deploy import ports
from deploy.daemons import METRICS_PORT
from deploy.first import Cloud
from deploy.prepare import ensure_secrets
from tests.forks import Forked, nursery

ROOT = pathlib.Path(__file__).resolve().parent.parent
# How long an example takes says how busy the machine is, nothing else.
hypothesis.settings.register_profile("pileus", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("pileus")
# Each worker of pytest-xdist has port offsets of its own, whose ports are below those that the kernel gives to connections;
# tests/distributed.py's cloud stands above them.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
OFFSETS = itertools.cycle(range(2000 + _WORKER * 4000, 2000 + (_WORKER + 1) * 4000, 50))

# Files whose tests take long: begun first, so that no worker waits for another at the end (--no-loadscope-reorder).
LONG = ("secondruns/test_ansible", "network/test_attacks", "functional/test_tasks", "functional/test_parts_away", "races/",
        "policies/", "tenancy/", "hostile/", "histories/", "deploy/", "identity/test_no_token_outlives", "secondruns/",
        "functional/test_databases")


def pytest_collection_modifyitems(items):
    def rank(item) -> int:
        name = item.path.relative_to(ROOT / "tests").as_posix()
        return next((i for i, start in enumerate(LONG) if name.startswith(start)), len(LONG))
    items.sort(key=rank)


class FakeCloud:
    """``pileus up --driver fake`` as a child process. ``start`` after ``kill`` is a restart with the same state.

    PILEUS_CLOUD: another module to run, as ``tests.functional.aborting_cloud``. With ``forked`` false it is started as a user
    does, which is twice the work.
    """

    START_S = 150  # of a busy machine

    def __init__(self, state: pathlib.Path, *settings: str, module: str = os.environ.get("PILEUS_CLOUD", "deploy.local"),
                 hosts: int = 1, forked: bool = True):
        self.state, self.settings, self.module, self.hosts, self.forked = str(state), settings, module, hosts, forked
        self.offset = next(o for o in OFFSETS if not ports.conflicts("127.0.0.1", o))
        self.process: Forked | subprocess.Popen | None = None
        self.client: Cloud

    def start(self) -> "FakeCloud":
        words = ["--state", self.state, "--port-offset", str(self.offset)]
        if self.hosts != 1:
            words += ["--fake-hosts", str(self.hosts)]
        for item in self.settings:
            words += ["--set", item]
        # A file: nobody reads while it runs, and a full pipe would stop it. Beside the state, which holds a cloud and no more.
        if self.forked:
            self.process = nursery().start(self.module, words, f"{self.state}.stderr")
        else:
            with open(f"{self.state}.stderr", "w") as stderr:
                self.process = subprocess.Popen([sys.executable, "-m", self.module, *words], cwd=ROOT,
                                                stdout=subprocess.DEVNULL, stderr=stderr)
        try:
            wait_for(self._ready, self.START_S, what="the fake cloud")
        except TimeoutError:
            self.process.kill()
            raise AssertionError(f"the fake cloud did not start: {self.errors()}") from None
        self.client = self.login()
        return self

    def errors(self) -> str:
        """The end of what it wrote to standard error."""
        return pathlib.Path(f"{self.state}.stderr").read_text(errors="replace")[-2000:]

    def _ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the fake cloud died: {self.errors()}")
        with contextlib.suppress(Exception):
            client = self.login()
            first = client.find("compute", "servers", "first", "/servers/detail")
            computes = client.call("compute", "GET", "/os-services?binary=nova-compute")["services"]
            return (first is not None and first["status"] == "ACTIVE"
                    and sum(service["state"] == "up" for service in computes) >= self.hosts)
        return False

    def login(self) -> Cloud:
        client = Cloud(ensure_secrets(self.state)["admin_password"], offset=self.offset)
        client.login()
        return client

    def metrics(self) -> str:
        """What Prometheus would get."""
        return urllib.request.urlopen(f"http://127.0.0.1:{METRICS_PORT + self.offset}/metrics", timeout=30).read().decode()

    def environment(self) -> dict:
        """OS_* variables for unmodified clients."""
        return {**os.environ, "OS_AUTH_URL": f"http://127.0.0.1:{5000 + self.offset}/v3", "OS_USERNAME": "admin",
                "OS_PASSWORD": ensure_secrets(self.state)["admin_password"], "OS_PROJECT_NAME": "admin",
                "OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default", "OS_IDENTITY_API_VERSION": "3",
                "OS_REGION_NAME": "RegionOne"}

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """A new one for each module, in three seconds: what one leaves behind, such as quotas and names, is no other's concern."""
    made = FakeCloud(tmp_path_factory.mktemp("cloud"), "compute.compute.build_resend_s=2").start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def member(cloud):
    return new_member(cloud)


def new_member(cloud) -> Cloud:
    """A second project with a user who is only a member of it."""
    admin = cloud.client
    project = admin.call("identity", "POST", "/projects", {"project": {"name": "other"}})["project"]
    user = admin.call("identity", "POST", "/users", {"user": {"name": "mallory", "password": "pw"}})["user"]
    role = admin.find("identity", "roles", "member")
    admin.call("identity", "PUT", f"/projects/{project['id']}/users/{user['id']}/roles/{role['id']}")
    return login_as(cloud, "mallory", "pw", "other")


def volume_status(client: Cloud, volume_id: str) -> str:
    return client.call("volume", "GET", f"/volumes/{volume_id}")["volume"]["status"]


def new_volume(client: Cloud, name: str, **more) -> str:
    """The id of a volume of 1 GB, once it is available."""
    made = client.call("volume", "POST", "/volumes", {"volume": {"name": name, "size": 1, **more}})["volume"]["id"]
    wait_for(lambda: volume_status(client, made) == "available", 20, what=f"volume {name}")
    return made


def login_as(cloud, user: str, password: str, project: str) -> Cloud:
    client = Cloud(password, offset=cloud.offset)
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": {
        "name": user, "domain": {"id": "default"}, "password": password}}},
        "scope": {"project": {"name": project, "domain": {"id": "default"}}}}}
    import json
    response = client.pool.request("POST", client.url("identity") + "/auth/tokens", body=json.dumps(body),
                                   headers={"Content-Type": "application/json"})
    assert response.status == 201, response.data
    client.token = response.headers["X-Subject-Token"]
    client.project_id = json.loads(response.data)["token"]["project"]["id"]
    return client
