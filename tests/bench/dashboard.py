"""What the dashboard's pages cost in a cloud with 1,000 servers, 1,000 volumes and 500 networks, and what Horizon's cost there.

    python -m tests.bench.dashboard [--rounds 40] [--servers 1000] [--volumes 1000] [--networks 500] [--horizon DIRECTORY]

Starts a cloud with the fake driver, all of it in one process, and fills it through its APIs. Prints for each page the server's
time (p50 and p99, from ``Server-Timing``), the requests to services, and the weight: the compressed page with the files that it
loads. The bars are 80 ms, 300 ms and 150 kB.

--horizon makes a virtual environment in DIRECTORY with Horizon from PyPI, or takes the one that is there, and runs it with the
same cloud. Its time is that of its whole answer, beside that of our whole answer. Nothing here is a test.
"""

import argparse
import concurrent.futures
import contextlib
import gzip
import pathlib
import re
import statistics
import sys
import tempfile
import time

from common.periodic import wait_for
from tests.bench import horizon
from tests.conftest import FakeCloud
from tests.dashboard.browser import Browser

P50_MS, P99_MS, WEIGHT_KB = 80, 300, 150
HOST = ("compute-agent.fake.vcpus=2000", "compute-agent.fake.memory_mb=4000000", "compute-agent.fake.local_gb=100000",
        # Sessions must not end before the last page was measured.
        "identity.identity.token_expiration=14400")
# Ours, Horizon's page of the same, and the title.
PAGES = [
    ("/project/", "/project/", "Overview"), ("/project/usage/", "", "Usage"),
    ("/project/instances/", "/project/instances/", "Instances, 20 rows"),
    ("/project/instances/?size=100", "", "Instances, 100 rows"),
    ("/project/instances/?q=server-77", "", "Instances, searched"), ("/project/instances/launch/", "", "Launch instance"),
    ("/project/volumes/", "/project/volumes/", "Volumes, 20 rows"), ("/project/volumes/?size=100", "", "Volumes, 100 rows"),
    ("/project/networks/", "/project/networks/", "Networks, 20 rows"), ("/project/networks/?size=100", "", "Networks, 100 rows"),
    ("/project/ports/", "", "Ports, 20 rows"), ("/project/routers/", "/project/routers/", "Routers"),
    ("/project/floating_ips/", "/project/floating_ips/", "Floating IPs"),
    ("/project/security_groups/", "/project/security_groups/", "Security groups"),
    ("/project/images/", "/project/images/", "Images"), ("/project/key_pairs/", "/project/key_pairs", "Key pairs"),
    ("/project/network_topology/", "/project/network_topology/", "Network topology"),
    ("/project/snapshots/", "/project/snapshots/", "Snapshots"), ("/search/?q=server-7", "", "Search"),
    ("/identity/projects/", "/identity/", "Projects"), ("/identity/users/", "/identity/users/", "Users"),
    ("/admin/instances/", "/admin/instances/", "All instances"), ("/admin/volumes/", "/admin/volumes/", "All volumes"),
    ("/admin/networks/", "/admin/networks/", "All networks"), ("/admin/hypervisors/", "/admin/hypervisors/", "Hypervisors"),
    ("/admin/flavors/", "/admin/flavors/", "Flavors"), ("/admin/usage/", "/admin/", "Usage of all projects"),
    ("/project/instances/{server}/", "/project/instances/{server}/", "One instance"),
    ("/project/volumes/{volume}/", "/project/volumes/{volume}/", "One volume"),
    ("/project/networks/{network}/", "/project/networks/{network}/detail", "One network")]


def fill(cloud: FakeCloud, servers: int, volumes: int, networks: int) -> dict[str, str]:
    """Makes the resources, unless they are there; returns ids for the pages of one."""
    call = cloud.client.call
    if cloud.client.find("network", "networks", "large") is None:
        _make(cloud, servers, volumes, networks)
    broken = call("compute", "GET", "/servers?status=ERROR&limit=1")["servers"]
    assert not broken, call("compute", "GET", f"/servers/{broken[0]['id']}")["server"]["fault"]
    found = {"server": call("compute", "GET", "/servers?limit=1")["servers"][0]["id"],
             "volume": call("volume", "GET", "/volumes?limit=1")["volumes"][0]["id"]}
    return {**found, "network": cloud.client.find("network", "networks", "large")["id"]}  # type: ignore[index]


def _make(cloud: FakeCloud, servers: int, volumes: int, networks: int) -> None:
    call, project = cloud.client.call, cloud.client.project_id
    call("compute", "PUT", f"/os-quota-sets/{project}", {"quota_set": {"instances": -1, "cores": -1, "ram": -1}})
    call("volume", "PUT", f"/os-quota-sets/{project}", {"quota_set": {"volumes": -1, "gigabytes": -1}})
    call("network", "PUT", f"/quotas/{project}", {"quota": {"network": -1, "subnet": -1, "port": -1}})
    net = call("network", "POST", "/networks", {"network": {"name": "large"}})["network"]["id"]
    call("network", "POST", "/subnets", {"subnet": {"network_id": net, "ip_version": 4, "cidr": "10.64.0.0/16"}})
    for first in range(0, networks - 3, 50):
        made = call("network", "POST", "/networks", {"networks": [
            {"name": f"net-{n}"} for n in range(first, min(first + 50, networks - 3))]})["networks"]
        call("network", "POST", "/subnets", {"subnets": [{"network_id": one["id"], "ip_version": 4, "cidr": "10.1.0.0/24"}
                                                        for one in made]})
    image = call("image", "GET", "/images")["images"][0]["id"]
    for first in range(0, servers - 1, 100):
        count = min(100, servers - 1 - first)
        call("compute", "POST", "/servers", {"server": {
            "name": f"server-{first}", "imageRef": image, "flavorRef": "42", "min_count": count, "max_count": count,
            "networks": [{"uuid": net}]}})
        wait_for(lambda: not call("compute", "GET", "/servers?status=BUILD&limit=1")["servers"], 300, every_s=1, what="servers")

    def volume(n: int) -> None:
        call("volume", "POST", "/volumes", {"volume": {"name": f"volume-{n}", "size": 1}})
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(volume, range(volumes)))
    wait_for(lambda: not call("volume", "GET", "/volumes?status=creating&limit=1")["volumes"], 300, every_s=1, what="volumes")


def milliseconds(times: list[float]) -> tuple[float, float]:
    """(p50, p99)"""
    ordered = sorted(times)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


class Ours:
    def __init__(self, browser: Browser):
        self.browser, self._files = browser, dict[str, int]()

    def _sent(self, path: str) -> tuple[int, str, dict]:
        """(bytes of the body as it was sent, its text, headers)"""
        cookies = "; ".join(f"{k}={v}" for k, v in self.browser.cookies.items())
        answer = self.browser.pool.request("GET", self.browser.base + path, preload_content=False, redirect=False, headers={
            "Accept-Encoding": "gzip", "Cookie": cookies})
        raw = answer.read(decode_content=False)
        assert answer.status == 200, (path, answer.status)
        plain = gzip.decompress(raw) if answer.headers.get("Content-Encoding") == "gzip" else raw
        return len(raw), plain.decode(), dict(answer.headers)

    def measure(self, path: str, rounds: int) -> tuple[list[float], list[float], int, float]:
        """(server times in ms, times of the whole answer, requests to services, weight in kB)"""
        server, whole, calls, weight = [], [], 0, 0.0
        for n in range(rounds + 2):
            began = time.perf_counter()
            size, text, headers = self._sent(path)
            took = (time.perf_counter() - began) * 1000
            timing = headers["Server-Timing"]
            if n < 2:
                weight = (size + sum(map(self._file, set(re.findall(r'(?:src|href)="(/static/[^"]+)"', text))))) / 1000
                continue
            server.append(float(re.search(r"page;dur=([\d.]+)", timing)[1]))  # type: ignore[index]
            calls = int(re.search(r'calls;desc="(\d+)"', timing)[1])  # type: ignore[index]
            whole.append(took)
        return server, whole, calls, weight

    def _file(self, path: str) -> int:
        if path not in self._files:
            self._files[path] = self._sent(path)[0]
        return self._files[path]



def run(args, cloud: FakeCloud, other: "horizon.Horizon | None") -> int:
    began = time.monotonic()
    ids = fill(cloud, args.servers, args.volumes, args.networks)
    print(f"{args.servers} servers, {args.volumes} volumes, {args.networks} networks after {time.monotonic() - began:.0f} s\n"
          f"{'page':26} {'p50 ms':>7} {'p99 ms':>7} {'calls':>5} {'kB':>6} {'Horizon p50':>12} {'ratio':>6}", flush=True)
    ours, late = Ours(Browser(f"http://127.0.0.1:{8080 + cloud.offset}").log_in("admin", cloud.client.password)), 0
    ratios = []
    for path, theirs, title in PAGES:
        server, whole, calls, weight = ours.measure(path.format(**ids), args.rounds)
        p50, p99 = milliseconds(server)
        beside = ""
        if other and theirs:
            found = other.measure(theirs.format(**ids), args.horizon_rounds)
            beside = f"{'failed: ' + found:>12}" if isinstance(found, str) else (
                f"{statistics.median(found):12.0f} {statistics.median(found) / statistics.median(whole):6.1f}")
            if not isinstance(found, str):
                ratios.append(statistics.median(found) / statistics.median(whole))
        over = p50 > P50_MS or p99 > P99_MS or weight > WEIGHT_KB
        late += over
        print(f"{title:26} {p50:7.1f} {p99:7.1f} {calls:5} {weight:6.1f} {beside}{'  OVER' if over else ''}", flush=True)
    if ratios:
        print(f"Horizon takes {statistics.median(ratios):.1f} times as long (median of {len(ratios)} pages).")
    return 1 if late else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.dashboard")
    for name, usual in (("rounds", 40), ("servers", 1000), ("volumes", 1000), ("networks", 500), ("horizon-rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--state", metavar="DIRECTORY", help="keep the cloud here, and use one that is kept here")
    parser.add_argument("--horizon", metavar="DIRECTORY")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        home = pathlib.Path(args.state or directory)
        home.mkdir(parents=True, exist_ok=True)
        cloud = FakeCloud(home / "cloud", *HOST).start()
        stack.callback(cloud.stop)
        other = stack.enter_context(horizon.running(args.horizon, cloud)) if args.horizon else None
        return run(args, cloud, other)


if __name__ == "__main__":
    sys.exit(main())
