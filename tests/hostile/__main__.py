"""Send hostile requests to a fake cloud and say which were answered with 500 or above, or after more than two seconds.

    python -m tests.hostile --requests 20000 --seed 1 [--service identity] [--set FILE.GROUP.OPTION=VALUE]
"""

import argparse
import pathlib
import sys
import tempfile
import time

from tests.conftest import FakeCloud
from tests.hostile.generator import PACKAGES
from tests.hostile.runner import run
from tests.hostile.things import Things


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20000, help="for each service")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--service", action="append", choices=list(PACKAGES), help="may be repeated; without: all")
    parser.add_argument("--set", action="append", default=[], help="an option of the cloud's configuration")
    parser.add_argument("--state", help="where the clouds' states and logs stay afterwards, one directory for each service")
    args = parser.parse_args()
    faults = 0
    print(f"seed {args.seed}", flush=True)
    for service in args.service or PACKAGES:
        # A cloud for each: what identity is asked may take away the accounts that the other services need.
        with tempfile.TemporaryDirectory(prefix="hostile-") as state:
            place = pathlib.Path(args.state or state) / service
            place.mkdir(parents=True)
            cloud = FakeCloud(place, *args.set).start()
            began = time.monotonic()
            try:
                report = run(service, Things(cloud), args.requests, args.seed,
                             progress=lambda r: print(r.text().splitlines()[0], file=sys.stderr))
                faults += len(report.faults)
                print(f"seed {args.seed}, {time.monotonic() - began:.0f} s: {report.text()}", flush=True)
            finally:
                cloud.stop()
                print(cloud.errors(), file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
