"""Does any daemon grow? Ports made and deleted, servers booted and deleted, then each daemon's memory against its start.

    python -m tests.bench.soak [--ports 2000] [--boots 500] [--most 1.15]

Starts a MariaDB, a broker and all daemons of its own, each a process, with fake drivers, as tests.bench.boots does. A tenth
of the work warms them up first. Prints each daemon's PSS in MB before and after and their ratio; exits with 1 where one is
above ``--most``. Nothing here is a test.
"""

import argparse
import collections
import concurrent.futures
import sys
import time

from common.periodic import wait_for
from deploy import first, processes, supervisor
from tests.distributed import DistributedCloud

OFFSET, CLIENTS = 29100, 4
SETTLE_S = 45  # two passes of what gives freed memory back (common.service.Trim)


def memory(state: str) -> dict[str, float]:
    """{daemon: MB}; workers of one daemon are added up."""
    found: dict[str, float] = collections.defaultdict(float)
    for name, pid in processes.daemons_of(supervisor.running_pid(state) or 0).items():
        if name.startswith("p-"):
            found[name.split()[0]] += processes.pss_kib(pid) / 1024
    return dict(found)


class Work:
    def __init__(self, cloud: first.Cloud, network: str, image: str):
        self.cloud, self.network, self.image = cloud, network, image

    def _each(self, count: int, work) -> None:
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(work, range(count)))

    def port(self, number: int) -> None:
        """One bound to the host, so that its agent plugs it, and deleted."""
        made = self.cloud.call("network", "POST", "/ports", {"port": {
            "network_id": self.network, "binding:host_id": "distributed", "device_owner": "compute:nova",
            "name": f"soak-{number}"}})["port"]["id"]
        self.cloud.call("network", "DELETE", f"/ports/{made}")

    def boot(self, number: int) -> None:
        made = self.cloud.call("compute", "POST", "/servers", {"server": {
            "name": f"soak-{number}", "imageRef": self.image, "flavorRef": "42",
            "networks": [{"uuid": self.network}]}})["server"]["id"]
        wait_for(lambda: self.cloud.call("compute", "GET", f"/servers/{made}")["server"]["status"] != "BUILD", 120, every_s=0.5,
                 what="a server")
        self.cloud.call("compute", "DELETE", f"/servers/{made}")

    def all(self, ports: int, boots: int) -> None:
        self._each(ports, self.port)
        self._each(boots, self.boot)
        wait_for(lambda: not self.cloud.call("compute", "GET", "/servers")["servers"], 120, every_s=1, what="all to be deleted")


def measure(cloud: first.Cloud, state: str, ports: int, boots: int) -> dict[str, tuple[float, float]]:
    """{daemon: (MB before, MB after)}"""
    networks = first.ensure_networks(cloud, external_cidr="172.24.4.0/24", pool=("172.24.4.10", "172.24.4.250"),
                                     gateway="172.24.4.1", private_cidr="10.0.0.0/16")
    image = first.ensure_image(cloud, "soak", b"\0" * 4096, "raw")
    cloud.call("compute", "PUT", f"/os-quota-sets/{cloud.project_id}", {"quota_set": {"instances": -1, "cores": -1, "ram": -1}})
    cloud.call("network", "PUT", f"/quotas/{cloud.project_id}", {"quota": {"port": -1}})
    work = Work(cloud, networks["private"], image)
    work.all(ports // 10, boots // 10)
    time.sleep(SETTLE_S)
    before, began = memory(state), time.monotonic()
    work.all(ports, boots)
    print(f"{ports} ports and {boots} servers made and deleted: {time.monotonic() - began:.0f} s")
    time.sleep(SETTLE_S)
    after = memory(state)
    return {name: (before[name], after.get(name, 0.0)) for name in sorted(before)}


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ports", type=int, default=2000)
    parser.add_argument("--boots", type=int, default=500)
    parser.add_argument("--most", type=float, default=1.15)
    args = parser.parse_args(argv)
    cloud = DistributedCloud(OFFSET)
    try:
        found = measure(cloud.start(), cloud.state, args.ports, args.boots)
    finally:
        cloud.stop()
    for name, (before, after) in found.items():
        print(f"{name:20} {before:6.1f} {after:6.1f} MB  x {after / before:.2f}")
    grown = [name for name, (before, after) in found.items() if after > before * args.most]
    print(f"above x {args.most}: {', '.join(grown) or 'none'}")
    return bool(grown)


if __name__ == "__main__":
    sys.exit(main())
