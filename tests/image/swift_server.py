"""OpenStack's Swift itself: a proxy, an account, a container and an object server, in processes and a directory of their own."""

import contextlib
import os
import pathlib
import socket
import subprocess
import time
import urllib.request

import pytest

from tests.conformance.environment import CACHE

BIN = CACHE / "swift" / "venv" / "bin"
_PROXY = """[pipeline:main]
pipeline = catch_errors proxy-logging cache tempauth dlo proxy-logging proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcache}
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = secret .admin
storage_url_scheme = http
[filter:dlo]
use = egg:swift#dlo
"""


def _port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def _ring(home: pathlib.Path, kind: str, port: int) -> None:
    builder = home / f"{kind}.builder"
    for words in (["create", "6", "1", "1"], ["add", "--region", "1", "--zone", "1", "--ip", "127.0.0.1", "--port", str(port),
                                              "--device", "disk", "--weight", "1"], ["rebalance"]):
        subprocess.run([BIN / "swift-ring-builder", builder, *words], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"})


def _configure(home: pathlib.Path, ports: dict[str, int]) -> None:
    (home / "srv" / "disk").mkdir(parents=True)
    (home / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = s\nswift_hash_path_prefix = p\n"
                                     "[storage-policy:0]\nname = one\ndefault = yes\n")
    for kind in ("account", "container", "object"):
        _ring(home, kind, ports[kind])
    for kind, port in ports.items():
        common = f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {port}\nworkers = 0\nuser = root\nswift_dir = {home}\n" \
                 f"log_address = {home}/none\n"
        if kind == "proxy":
            text = common + _PROXY.format(**ports)
        elif kind != "memcache":
            text = common + f"devices = {home}/srv\nmount_check = false\n[pipeline:main]\npipeline = {kind}-server\n" \
                            f"[app:{kind}-server]\nuse = egg:swift#{kind}\n"
        else:
            continue
        (home / f"{kind}-server.conf").write_text(text)


@contextlib.contextmanager
def running(home: pathlib.Path):
    """The URL at which one logs in, while it runs."""
    if not (BIN / "swift-proxy-server").exists():
        pytest.skip("Swift is not installed: python -m tests.conformance.environment swift")
    ports = {kind: _port() for kind in ("memcache", "account", "container", "object", "proxy")}
    _configure(home, ports)
    log = open(home / "log", "wb")
    started = [subprocess.Popen(["memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", str(ports["memcache"])], stdout=log,
                                stderr=log)]
    try:
        for kind in ("account", "container", "object", "proxy"):
            started.append(subprocess.Popen([BIN / f"swift-{kind}-server", home / f"{kind}-server.conf", "--verbose"],
                                            stdout=log, stderr=log, env={**os.environ, "SWIFT_DIR": str(home)}))
        url = f"http://127.0.0.1:{ports['proxy']}"
        _wait(url + "/auth/v1.0", home)
        yield url + "/auth/v1.0"
    finally:
        for child in started:
            child.terminate()
        for child in started:
            child.wait(10)


def _wait(url: str, home: pathlib.Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(url, headers={"X-Auth-User": "test:tester", "X-Auth-Key": "secret"}))
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise AssertionError(f"Swift did not start: {error}\n{(home / 'log').read_text()[-2000:]}") from None
            time.sleep(0.2)


def settings(url: str) -> list[str]:
    """Lines of a store's group in a configuration file."""
    return [f"swift_store_auth_address = {url}", "swift_store_auth_version = 1", "swift_store_user = test:tester",
            "swift_store_key = secret", "swift_store_large_object_size = 4"]
