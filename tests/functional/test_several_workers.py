"""APIs of several processes each: what is revoked at one is refused at all of them, of every service."""

import contextlib
import json
import os
import subprocess
import sys

import pytest
import urllib3

from common.periodic import wait_for
from deploy import first, ports, prepare
from deploy.daemons import PORTS
from tests.conftest import OFFSETS, ROOT

WORKERS, CONNECTIONS = 3, 24


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """Identity and the image service, as ``deploy/up`` runs them."""
    state = str(tmp_path_factory.mktemp("workers"))
    offset = next(o for o in OFFSETS if not ports.conflicts("127.0.0.1", o))
    found = prepare.ensure_secrets(state)
    workers = {"DEFAULT": {"workers": str(WORKERS)}}
    prepare.write_config(state, transport_url="fake://", host="h", my_ip="127.0.0.1", offset=offset, driver="fake", extra={
        "identity": {**workers, "identity": {"password_hash_rounds": "4"}}, "image": workers})
    prepare.sync_databases(state)
    prepare.first_rows(state, found, "127.0.0.1", offset)
    os.makedirs(f"{state}/log", exist_ok=True)
    process = subprocess.Popen([sys.executable, "-m", "deploy.zygote", "--green", "--state", state, "identity-api", "image-api"],
                               cwd=ROOT)
    client = first.Cloud(found["admin_password"], offset=offset)

    def ready():
        with contextlib.suppress(Exception):
            client.login()
            return set(statuses(client, "image", client.token)) == {200}
        return False
    try:
        wait_for(ready, 60, what="the daemons")
        yield client
    finally:
        process.terminate()
        process.wait(30)


def statuses(client, service: str, token: str) -> list[int]:
    """What many connections are answered; which process has one is chance."""
    found, path = [], {"identity": "/v3/auth/projects", "image": "/v2/images?limit=1"}[service]
    for _ in range(CONNECTIONS):
        with urllib3.HTTPConnectionPool("127.0.0.1", PORTS[service] + client.offset) as pool:
            found.append(pool.request("GET", path, headers={"X-Auth-Token": token}, retries=False).status)
    return found


def test_what_is_revoked_at_one_process_is_refused_at_all(cloud):
    user = cloud.call("identity", "POST", "/users", {"user": {"name": "ann", "password": "pw"}})["user"]["id"]
    role = cloud.find("identity", "roles", "member")["id"]
    cloud.call("identity", "PUT", f"/projects/{cloud.project_id}/users/{user}/roles/{role}")
    auth = {"identity": {"methods": ["password"], "password": {"user": {"id": user, "password": "pw"}}},
            "scope": {"project": {"id": cloud.project_id}}}
    answer = cloud.pool.request("POST", cloud.url("identity") + "/auth/tokens", body=json.dumps({"auth": auth}),
                                headers={"Content-Type": "application/json"})
    token = answer.headers["X-Subject-Token"]
    for service in ("identity", "image"):
        assert set(statuses(cloud, service, token)) == {200}
    cloud.call("identity", "PATCH", f"/users/{user}", {"user": {"enabled": False}})
    for service in ("identity", "image"):
        wait_for(lambda service=service: set(statuses(cloud, service, token)) == {401}, 5, every_s=0.2,
                 what=f"every process of {service} to refuse")
