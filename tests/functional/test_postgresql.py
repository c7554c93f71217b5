"""The whole cloud on PostgreSQL: every table made, and a server's life lived on it."""

import os
import pathlib
import shutil
import subprocess

import pytest

from common.periodic import wait_for
from deploy import first, host
from tests.conftest import FakeCloud, new_volume, volume_status
from tests.functional.test_stories import server_body, wait_gone, wait_status

SERVICES = ("identity", "image", "network", "volume", "compute")
PORT = 25432


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory):
    """The URL of a server of its own, up to the database's name."""
    tools = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not tools or os.getuid() != 0:
        pytest.skip("PostgreSQL is not installed, or this is not root, who alone may start it as another user")
    home = pathlib.Path("/var/tmp/pileus-test-postgresql")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    shutil.chown(home, "postgres", "postgres")
    run = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    tool = tools[-1].parent
    subprocess.run([*run, tool / "initdb", "-D", home / "data", "-A", "trust", "-U", "pileus"], check=True,
                   capture_output=True, cwd=home)
    server = subprocess.Popen([*run, tool / "postgres", "-D", home / "data", "-p", str(PORT), "-k", home, "-h", "127.0.0.1"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=home)
    try:
        wait_for(lambda: host.answers(PORT), 30, what="PostgreSQL")

        def made() -> bool:
            return all(subprocess.run([tool / "createdb", "-h", "127.0.0.1", "-p", str(PORT), "-U", "pileus", f"pileus_{n}"],
                                      capture_output=True).returncode == 0 for n in SERVICES)
        wait_for(made, 10, what="its databases")
        yield f"postgresql+psycopg2://pileus@127.0.0.1:{PORT}"
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(home, ignore_errors=True)


def test_a_servers_life(postgresql, tmp_path_factory):
    urls = [f"{n}.database.connection={postgresql}/pileus_{n}" for n in SERVICES]
    cloud = FakeCloud(tmp_path_factory.mktemp("postgresql"), *urls).start()
    try:
        client: first.Cloud = cloud.client
        made = client.call("compute", "POST", "/servers", server_body(client, "on-postgresql"))["server"]
        wait_status(client, made["id"])
        volume = new_volume(client, "kept", metadata={"a": "b"})
        client.call("compute", "POST", f"/servers/{made['id']}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
        wait_for(lambda: volume_status(client, volume) == "in-use", 20, what="the attachment")
        found = client.call("volume", "GET", "/volumes/detail?metadata={'a':'b'}")["volumes"]
        assert [v["id"] for v in found] == [volume]
        client.call("compute", "DELETE", f"/servers/{made['id']}")
        wait_gone(client, made["id"])
        wait_for(lambda: volume_status(client, volume) == "available", 20, what="the detachment")
    finally:
        cloud.stop()
