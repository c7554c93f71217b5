"""A real cloud, brought up by deploy/up inside deploy/isolate, and taken down at the end."""

import contextlib
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

import pytest

from common import conf
from common.periodic import wait_for
from deploy import first, host, lab, prepare

ROOT = pathlib.Path(__file__).resolve().parents[2]


class RealCloud:
    def __init__(self, state: str, text: str):
        self.state, self.text = state, text
        self.address = conf.load("pileus", {}, state).my_ip
        self.client = first.Cloud(prepare.ensure_secrets(state)["admin_password"], self.address)
        self.client.login()
        self.networks = {n["name"]: n["id"] for n in self.client.call("network", "GET", "/networks")["networks"]}
        self.image = self.client.find("image", "images", "guest")["id"]

    def ssh(self, address: str, command: str, timeout_s: float = 90, user: str = "cirros") -> str:
        """Run a command in a guest, as soon as it lets us in."""
        def once():
            done = subprocess.run(["ssh", "-q", "-i", f"{self.state}/first_key", "-o", "StrictHostKeyChecking=no", "-o",
                                   "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=10", f"{user}@{address}", command],
                                  capture_output=True, text=True)
            return (done.stdout,) if done.returncode == 0 else None
        return wait_for(once, timeout_s, every_s=0.5, what=f"ssh to {address}")[0]

    def upload(self, name: str, path: pathlib.Path, disk_format: str, container: str = "bare", **properties) -> str:
        """An image with a file's bytes; returns its id."""
        made = self.client.call("image", "POST", "/images", {
            "name": name, "disk_format": disk_format, "container_format": container, **properties})
        with open(path, "rb") as data:
            self.client.call("image", "PUT", f"/images/{made['id']}/file", raw=data, content_type="application/octet-stream")
        return made["id"]

    def environment(self) -> dict:
        """OS_* variables for unmodified clients."""
        text = pathlib.Path(self.state, "openrc").read_text()
        return {**os.environ, **dict(re.findall(r"export (\w+)=(.*)", text))}

    def boot(self, name: str, **values) -> dict:
        values = {"imageRef": self.image, "flavorRef": "42", "key_name": "first-key",
                  "networks": [{"uuid": self.networks["private"]}], **values}
        return first.boot(self.client, name, **{k: v for k, v in values.items() if v is not None})

    def floating_ip(self, server_id: str) -> str:
        port = self.client.call("network", "GET", f"/ports?device_id={server_id}")["ports"][0]
        made = self.client.call("network", "POST", "/floatingips", {"floatingip": {
            "floating_network_id": self.networks["public"], "port_id": port["id"]}})
        return made["floatingip"]["floating_ip_address"]

    def console(self, server_id: str) -> str:
        return self.client.call("compute", "POST", f"/servers/{server_id}/action", {"os-getConsoleOutput": {}})["output"]

    def wait_console(self, server_id: str, text: str, timeout_s: float = 120) -> str:
        return wait_for(lambda: (t if text in (t := self.console(server_id)) else None), timeout_s, every_s=1,
                        what=f"{text!r} on the console")

    def delete(self, server_id: str) -> None:
        self.client.call("compute", "DELETE", f"/servers/{server_id}")
        wait_for(lambda: all(s["id"] != server_id for s in self.client.call("compute", "GET", "/servers")["servers"]), 60,
                 what="the server to go")

    def volume_status(self, volume_id: str) -> str:
        return self.client.call("volume", "GET", f"/volumes/{volume_id}")["volume"]["status"]

    def audit(self) -> None:
        from deploy.audit import Auditor
        self.left: list = []

        def clean():
            self.left = [f"{f.kind} {f.what} {f.text}" for f in Auditor(self.state).run()]
            return not self.left
        try:
            wait_for(clean, 20, every_s=0.5, what="a clean audit")
        except TimeoutError:
            raise AssertionError(f"left over: {self.left}") from None


@contextlib.contextmanager
def further_host(real: RealCloud, name: str, virt_type: str = ""):
    """A host of the lab, of which nothing is left at the end."""
    lab.add(real.state, name, virt_type=virt_type)
    yield name
    lab.remove(real.state, name)
    for kind, path in (("compute", f"/os-services?host={name}"), ("network", f"/agents?host={name}")):
        for found in next(iter(real.client.call(kind, "GET", path).values())):
            real.client.call(kind, "DELETE", f"{path.partition('?')[0]}/{found['id']}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Say at once what failed, and what the daemons had to say then: a log of CI shows little more than a failure's start."""
    report = yield
    if report.failed and "PILEUS_STATE" in os.environ:
        print(f"\n{item.name} ({report.when}): {str(call.excinfo.value)[:500]}\n{_complaints(os.environ['PILEUS_STATE'])}")
    return report


def _complaints(state: str, last_s: float = 150, at_most: int = 25) -> str:
    """The last warnings and errors of every daemon, oldest first, a short line each."""
    found = []
    since = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=last_s)
    for path in pathlib.Path(state, "log").glob("*.log"):
        for line in path.read_text(errors="replace").splitlines()[-200:]:
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if said["level"] in ("WARNING", "ERROR", "CRITICAL") and said["time"] >= since.isoformat():
                error = said.get("exception", "").strip().rpartition("\n")[2]
                found.append(f"  {said['time'][11:23]} {said['service']}: {said['message']} {error}"[:260])
    return "\n".join(sorted(found)[-at_most:])


@pytest.fixture(scope="session")
def real():
    if os.environ.get("PILEUS_SANDBOX") != "1":
        pytest.skip("runs inside deploy/isolate only (deploy/test does that)")
    state, image = os.environ["PILEUS_STATE"], os.environ["PILEUS_GUEST_IMAGE"]
    began = time.monotonic()
    done = subprocess.run([str(ROOT / "deploy/up"), "--hosts", "1", "--image", image], capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    print(f"deploy/up: {time.monotonic() - began:.1f} s")
    yield RealCloud(state, done.stdout)
    done = subprocess.run([str(ROOT / "deploy/down"), "--yes"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    links = [link["ifname"] for link in json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True).stdout)]
    assert not [n for n in links if n.startswith(("tap", "brq", "vxl", "br-ex", "br-lab"))]
    assert "pileus" not in host.run("iptables-save").stdout + host.run("ipset", "list", "-n").stdout
    assert not re.findall("qdhcp-|qrouter-|snat-", host.run("ip", "netns").stdout)
    names = host.run("ps", "-eo", "comm").stdout
    assert not re.search(r"^(p-|qemu-system|dnsmasq|radvd|libvirtd|tgtd|beam)", names, re.M), names
    assert not pathlib.Path(state).exists()


@pytest.fixture
def directory():
    """One that the users of guests may go through."""
    made = pathlib.Path(tempfile.mkdtemp(prefix="pileus-virt-", dir="/var/tmp"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)
