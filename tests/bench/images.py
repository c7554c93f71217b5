"""What image data costs: upload and download of a large file beside ``cp`` and the same hashes; memory of eight uploads at once;
and what is left of uploads during which the image service was killed.

    python -m tests.bench.images [--gib 2] [--parallel 8] [--kills 20]

Runs against the cloud of this host (``deploy/up``), as its administrator. Needs room for the file, its copy and the
uploads. Memory is that of the image service's process (PSS), sampled while it works. Nothing here is a test.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import os
import pathlib
import random
import shutil
import signal
import tempfile
import threading
import time

import urllib3

from common.periodic import wait_for
from deploy import first, prepare
from deploy.audit import Auditor
from deploy.processes import daemons, pss_kib

CHUNK = 1 << 20


def make(path: pathlib.Path, gib: int) -> None:
    """A file that neither compression nor holes make cheaper: one random mebibyte, numbered."""
    block = os.urandom(CHUNK - 8)
    with open(path, "wb") as out:
        for number in range(gib << 10):
            out.write(number.to_bytes(8, "big") + block)


def timed(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def copy_and_hash(source: pathlib.Path, target: pathlib.Path) -> None:
    """What ``cp``, ``md5sum`` and ``sha512sum`` do, one after the other."""
    shutil.copyfile(source, target)
    for algorithm in ("md5", "sha512"):
        with open(source, "rb") as data:
            hashlib.file_digest(data, algorithm)
    target.unlink()


def upload(cloud: first.Cloud, source: pathlib.Path, ids: list[str]) -> None:
    """An image of this file; its id is in ``ids`` from the start."""
    made = cloud.call("image", "POST", "/images", {"name": "bench", "disk_format": "raw", "container_format": "bare"})["id"]
    ids.append(made)
    with open(source, "rb") as data:
        cloud.call("image", "PUT", f"/images/{made}/file", raw=data, content_type="application/octet-stream")


def download(cloud: first.Cloud, image: str) -> None:
    response = cloud.pool.request("GET", f"{cloud.url('image')}/images/{image}/file", preload_content=False,
                                  headers={"X-Auth-Token": cloud.token})
    while response.read(CHUNK):
        continue


def answers(cloud: first.Cloud) -> bool:
    try:
        cloud.call("image", "GET", "/images?limit=1")
        return True
    except (RuntimeError, urllib3.exceptions.HTTPError):
        return False


def kill_uploads(cloud: first.Cloud, source: pathlib.Path, takes_s: float, count: int, state: str) -> None:
    """Kill the service ``count`` times, each at another moment of an upload, and see what ``pileus audit`` finds in the end."""
    made: list[str] = []

    def attempt() -> None:
        try:
            upload(cloud, source, made)
        except (RuntimeError, urllib3.exceptions.HTTPError):
            pass  # what this is about
    for _ in range(count):
        uploading = threading.Thread(target=attempt)
        uploading.start()
        time.sleep(takes_s * random.uniform(0, 1.05))
        os.kill(daemons()["image-api"], signal.SIGKILL)
        uploading.join()
        wait_for(lambda: answers(cloud), 30, what="the image service")

    def statuses() -> dict[str, int]:
        return dict(collections.Counter(cloud.call("image", "GET", f"/images/{i}")["status"] for i in made))
    began = time.monotonic()
    wait_for(lambda: not (set(statuses()) - {"queued", "active"}) and not list(Auditor(state).images()) and not list(
        pathlib.Path(state, "images").glob("*.part")), 300, every_s=2, what=f"nothing to be left; {statuses()}")
    print(f"killed during {count} uploads: {statuses()}, no file or row is left over {time.monotonic() - began:.0f} s later")
    for image in made:
        cloud.call("image", "DELETE", f"/images/{image}")


class Peak:
    """The most memory of the image service's process while this context is open, KiB."""

    def __enter__(self):
        self.kib, self._end, pid = 0, threading.Event(), daemons()["image-api"]

        def sample():
            while not self._end.wait(0.2):
                self.kib = max(self.kib, pss_kib(pid))
        threading.Thread(target=sample, daemon=True).start()
        return self

    def __exit__(self, *why):
        self._end.set()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=int, default=2)
    parser.add_argument("--parallel", type=int, default=8)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--state", default="/var/lib/pileus")
    args = parser.parse_args()
    cloud = first.Cloud(prepare.ensure_secrets(args.state)["admin_password"])
    cloud.login()
    with tempfile.TemporaryDirectory(dir=args.state) as directory:
        source, target = pathlib.Path(directory, "source"), pathlib.Path(directory, "target")
        make(source, args.gib)
        images: list[str] = []
        before = timed(lambda: copy_and_hash(source, target))
        up = timed(lambda: upload(cloud, source, images))
        down = timed(lambda: download(cloud, images[0]))
        after = timed(lambda: copy_and_hash(source, target))
        bare = (before + after) / 2
        print(f"{args.gib} GiB: cp and the hashes {before:.1f} s before, {after:.1f} s after; upload {up:.1f} s, at "
              f"{bare / up:.0%} of their speed; download {down:.1f} s, at {bare / down:.0%}")
        with Peak() as peak, concurrent.futures.ThreadPoolExecutor(args.parallel) as several:
            took = timed(lambda: list(several.map(lambda n: upload(cloud, source, images), range(args.parallel))))
        print(f"{args.parallel} uploads of {args.gib} GiB at once: {took:.0f} s, image service at most {peak.kib >> 10} MiB")
        for image in images:
            cloud.call("image", "DELETE", f"/images/{image}")
        if args.kills:
            os.truncate(source, 256 << 20)
            kill_uploads(cloud, source, up * 256 / (args.gib << 10), args.kills, args.state)


if __name__ == "__main__":
    main()
