"""The compute agent's image cache: by content, checked, pruned, one download for many."""

import hashlib
import http.server
import io
import os
import struct
import threading
import time
import types

import pytest
import urllib3

from common import errors
from compute_agent.imagecache import CacheCleanup, ImageCache

OWN, OTHER = "a" * 32, "b" * 32


class Images:
    """An image service: {id: (bytes, owner, visibility)}."""

    def __init__(self):
        self.all: dict[str, tuple[bytes, str, str]] = {}
        self.downloads = 0
        self.pause_s = 0.0

    def add(self, number: int, data: bytes, owner: str = OWN, visibility: str = "private") -> dict:
        image_id = f"00000000-0000-4000-8000-{number:012d}"
        self.all[image_id] = data, owner, visibility
        return {"id": image_id, "disk_format": "raw", "os_hash_algo": "sha512", "os_hash_value": hashlib.sha512(data).hexdigest()}

    def request(self, method, service, where, *, stream=False, timeout_s=0):
        parts = where.split("/")
        if parts[3] not in self.all:
            raise errors.NotFound("gone")
        data, owner, visibility = self.all[parts[3]]
        if len(parts) == 4:
            return {"id": parts[3], "owner": owner, "visibility": visibility, "disk_format": "raw", "status": "active",
                    "os_hash_algo": "sha512", "os_hash_value": hashlib.sha512(data).hexdigest()}
        if parts[4] == "members":
            raise errors.NotFound("no member")
        self.downloads += 1
        time.sleep(self.pause_s)
        response = io.BytesIO(data)
        response.stream = lambda size: iter([data])  # type: ignore[attr-defined]
        response.release_conn = response.shutdown = lambda: None  # type: ignore[attr-defined]
        return response


@pytest.fixture
def service():
    return Images()


@pytest.fixture
def cache(tmp_path, service):
    return ImageCache(tmp_path / "cache", service)


def content(path: str) -> bytes:
    with open(path, "rb") as data:
        return data.read()


def test_an_id_that_stands_for_other_bytes_serves_those(cache, service):
    first = service.add(1, b"one" * 400)
    assert content(cache.ensure(first, OWN)) == b"one" * 400
    second = service.add(1, b"two" * 400, OTHER)
    assert content(cache.ensure(second, OTHER)) == b"two" * 400
    assert content(cache.ensure(first, OWN)) == b"one" * 400


def test_what_another_host_sends_is_adopted_only_as_what_it_is(cache, tmp_path):
    def adopt(data: bytes, kind: str, named: bytes | None = None) -> str:
        return cache.adopt(f"sha512-{hashlib.sha512(named or data).hexdigest()}.{kind}", lambda path: path.write_bytes(data))
    assert content(adopt(b"one" * 400, "raw")) == b"one" * 400
    chain = bytearray(1 << 16)
    struct.pack_into(">4sIQIIQII", chain, 0, b"QFI\xfb", 3, 104, 11, 16, 1 << 30, 0, 0)
    struct.pack_into(">I", chain, 100, 104)
    chain[104:115] = b"/etc/shadow"
    linked = "refers to a backing file"
    for data, kind, says in ((bytes(chain), "qcow2", linked), (bytes(chain), "raw", linked),
                             (b"x" * 1200, "qcow2", "its content is raw")):
        with pytest.raises(errors.StepFailed, match=says):
            adopt(data, kind)
    with pytest.raises(errors.StepFailed, match="other bytes"):
        adopt(b"one" * 400, "raw", b"two")
    with pytest.raises(errors.StepFailed, match="hash or format is unknown"):
        cache.adopt("../../etc/x", lambda path: None)
    assert len(cache.names()) == 1


def test_the_same_bytes_are_fetched_once(cache, service):
    paths = {cache.ensure(service.add(n, b"same" * 400), OWN) for n in (1, 2)}
    assert len(paths) == 1 and service.downloads == 1


def test_what_a_project_may_not_see_is_not_fetched_for_it(cache, service):
    for image in (service.add(1, b"x" * 900, OTHER), {"id": service.add(2, b"y" * 900, OTHER)["id"]}):
        with pytest.raises(errors.StepFailed):
            cache.ensure(image, OWN)
    assert service.downloads == 0
    assert content(cache.ensure(service.add(3, b"z" * 900, OTHER, "public"), OWN)) == b"z" * 900


@pytest.mark.parametrize("change", ["bytes", "length", "none"])
def test_a_file_that_was_changed_is_never_served(cache, service, change):
    image = service.add(1, b"right" * 400)
    path = cache.ensure(image, OWN)
    before = os.stat(path)
    if change != "none":
        with open(path, "r+b") as file:
            file.write(b"WRONG")
            file.truncate(2000 if change == "bytes" else 1000)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 5))
    assert content(cache.ensure(image, OWN)) == b"right" * 400
    assert service.downloads == (1 if change == "none" else 2)


def test_a_file_that_was_changed_with_its_time_kept_is_found_by_the_next_start(cache, service):
    image = service.add(1, b"right" * 400)
    path = cache.ensure(image, OWN)
    before = os.stat(path)
    with open(path, "r+b") as file:
        file.write(b"WRONG")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    cache.verify(threading.Event())
    assert content(cache.ensure(image, OWN)) == b"right" * 400


def test_prune_keeps_what_is_in_use_or_young(cache, service):
    used, old, young = (cache.ensure(service.add(n, bytes([n]) * 700), OWN) for n in (1, 2, 3))
    for path in (used, old):
        os.utime(path + ".json", (time.time() - 9999, time.time() - 9999))
    assert cache.prune({used}, 3600) == [os.path.basename(old)]
    assert os.path.exists(used) and os.path.exists(young) and not os.path.exists(old + ".json")
    assert content(cache.ensure(service.add(2, bytes([2]) * 700), OWN)) == bytes([2]) * 700


@pytest.mark.parametrize("on", [True, False])
def test_what_nobody_needs_is_taken_away_by_itself(cache, service, on):
    based, idle = (cache.ensure(service.add(n, bytes([n]) * 700), OWN) for n in (1, 2))
    for path in (based, idle):
        os.utime(path + ".json", (time.time() - 9999, time.time() - 9999))
    options = types.SimpleNamespace(remove_unused_base_images=on, remove_unused_original_minimum_age_seconds=3600)
    CacheCleanup(types.SimpleNamespace(
        images=cache, conf=types.SimpleNamespace(image_cache=options), stop_event=threading.Event(),
        driver=types.SimpleNamespace(base_images=lambda: {based}))).run_once()
    assert os.path.exists(based) and os.path.exists(idle) != on


def test_many_builds_wait_for_one_download(cache, service):
    image, found, failed = service.add(1, b"slow" * 400), [], []
    service.pause_s = 0.1

    def build():
        try:
            found.append(content(cache.ensure(image, OWN)))
            cache.prune(set(), 0)
        except Exception as error:  # shown by the assertion below
            failed.append(error)
    threads = [threading.Thread(target=build) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and found == [b"slow" * 400] * 8 and service.downloads == 1


class Broken(http.server.BaseHTTPRequestHandler):
    """An image service that is killed in the middle of a download."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"half")

    def log_message(self, *args):
        """Nothing on the console of the tests."""


def test_an_image_service_that_goes_away_in_a_download_is_waited_for(cache, service, monkeypatch):
    """It was an error that nobody had expected, and the host was given up."""
    image, request = service.add(1, b"whole" * 400), service.request
    with http.server.HTTPServer(("127.0.0.1", 0), Broken) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"

        def broken(method, name, where, *, stream=False, timeout_s=0):
            return urllib3.request("GET", url, preload_content=False, retries=False) if stream else request(method, name, where)
        monkeypatch.setattr(service, "request", broken)
        with pytest.raises(errors.ServiceUnavailable, match="image service"):
            cache.ensure(image, OWN)
        server.shutdown()
    assert list(cache.path.iterdir()) == []
    monkeypatch.undo()
    assert content(cache.ensure(image, OWN)) == b"whole" * 400


def test_half_a_download_leaves_nothing(cache, service):
    image = {**service.add(1, b"short" * 400), "os_hash_value": "0" * 128}
    with pytest.raises(errors.StepFailed, match="damaged"):
        cache.ensure(image, OWN)
    assert list(cache.path.iterdir()) == []
