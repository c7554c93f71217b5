"""``python -m tests.races --tries 320 --database all``: how often each kind of race granted what it should not have."""

import argparse
import contextlib
import pathlib
import sys
import tempfile
import time
from functools import partial

from common.periodic import wait_for
from tests import databases
from tests.conftest import FakeCloud
from tests.races import compute, crowd, identity, network, storage
from tests.races.race import KINDS, Race

assert all((compute, crowd, identity, network, storage))  # importing them registers their kinds
SERVERS = {"sqlite": None, "mariadb": databases.MariaDB, "postgresql": databases.PostgreSQL}
# No limits but those that a kind sets.
SETTINGS = ("image.image.quota_images=5", "image.image.image_member_quota=3", *[
    f"{service}.quota.{resource}=-1" for service, resources in {
        "network": ("network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule", "subnetpool"),
        "compute": ("instances", "cores", "ram", "key_pairs", "server_groups", "server_group_members"),
        "volume": ("volumes", "gigabytes", "snapshots")}.items() for resource in resources])


@contextlib.contextmanager
def cloud_on(database: str):
    """A cloud with fake drivers on a database server of its own."""
    kind = SERVERS[database]
    server = kind() if kind else None
    cloud = None
    with tempfile.TemporaryDirectory(prefix="pileus-races-") as home:
        try:
            if server:
                server.make()
            urls = databases.settings(server.url) if server else []
            cloud = FakeCloud(pathlib.Path(home), *SETTINGS, *urls, hosts=2).start()
            hosts = partial(cloud.client.call, "compute", "GET", "/os-hypervisors")
            wait_for(lambda: len(hosts()["hypervisors"]) == 2, 30, what="both hosts")
            yield cloud
        finally:
            if cloud:
                cloud.stop()
            if server:
                server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.races", description=__doc__)
    parser.add_argument("--tries", type=int, default=320, help="requests of each kind (320)")
    parser.add_argument("--database", choices=[*SERVERS, "all"], default="all")
    parser.add_argument("--seed", default="1", help="of what kinds choose at random")
    parser.add_argument("--only", default="", help="kinds whose name has one of these texts, with commas between")
    args = parser.parse_args()
    failed = 0
    for database in SERVERS if args.database == "all" else [args.database]:
        with cloud_on(database) as cloud:
            for name, run in KINDS.items():
                if not any(text in name for text in args.only.split(",")):
                    continue
                began, race = time.monotonic(), Race(cloud, args.tries, args.seed)
                try:
                    run(race)
                except Exception as error:  # boundary of a kind: the others are still to be run
                    race.broken.append(f"{type(error).__name__}: {error}")
                if not race.granted:
                    race.broken.append("no request was granted")
                failed += bool(race.doubles or race.broken)
                print(f"{database:10} {name:52} {race.doubles:4} double grants, {len(race.broken):3} faults in "
                      f"{args.tries} tries, {time.monotonic() - began:5.1f} s", *race.broken[:2], sep="\n    ", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
