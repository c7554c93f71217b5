"""What every store must do, asked of each kind: files, S3 (moto's server), Swift (itself), RBD (stand-ins, or a cluster)."""

import errno
import os
import sys

import pytest
import webob.request

from common import conf, errors
from image.conf import OPTS
from image.stores import Stores
from image.stores.base import Source, unwritten
from tests.image import rbd_stub, s3_server, swift_server

A, B = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"
MIB = 1 << 20


def load(tmp_path, kind: str, lines: list[str]) -> Stores:
    (tmp_path / "etc").mkdir(exist_ok=True)
    (tmp_path / "etc" / "image.conf").write_text("\n".join(["[image]", f"enabled_backends = one:{kind}", "[one]", *lines]))
    return Stores(conf.load("image", OPTS, str(tmp_path)), str(tmp_path / "images"))


@pytest.fixture(scope="session")
def s3():
    with s3_server.running() as url:
        yield url


@pytest.fixture(scope="session")
def swift(tmp_path_factory):
    with swift_server.running(tmp_path_factory.mktemp("swift")) as url:
        yield url


@pytest.fixture(params=["file", "s3", "swift", "rbd"])
def store(request, tmp_path, monkeypatch):
    if request.param == "rbd":
        lines = ["rbd_store_chunk_size = 1"]
        if os.environ.get("PILEUS_CEPH_CONF"):
            lines += [f"rbd_store_ceph_conf = {os.environ['PILEUS_CEPH_CONF']}"]
        else:
            for name, module in rbd_stub.modules().items():
                monkeypatch.setitem(sys.modules, name, module)
    elif request.param == "s3":
        lines = s3_server.settings(request.getfixturevalue("s3"))
    elif request.param == "swift":
        lines = swift_server.settings(request.getfixturevalue("swift"))
    else:
        lines = []
    made = load(tmp_path, request.param, lines).default
    yield made
    for image in (A, B):
        made.delete(image)


def put(store, image: str, data: bytes, tmp_path) -> list:
    path, beats = tmp_path / f"{image}.part", []
    path.write_bytes(data)
    with Source(path, lambda: beats.append(1)) as source:
        store.put(image, source)
    return beats


def read(store, image: str, offset: int = 0) -> bytes:
    stream, found = store.open(image), b""
    if offset:
        stream.seek(offset)
    while chunk := stream.read(300_000):
        found += chunk
    stream.close()
    return found


def test_what_was_put_is_read(store, tmp_path):
    data = os.urandom(MIB) + bytes(2 * MIB) + os.urandom(10 * MIB + 77)
    put(store, A, data, tmp_path)
    put(store, B, b"other", tmp_path)
    assert read(store, A) == data and read(store, B) == b"other"
    assert store.stored() == {A, B}


def test_who_puts_is_seen_to_live(store, tmp_path):
    assert put(store, A, b"x" * 100, tmp_path) or store.kind == "file"


@pytest.mark.parametrize("offset", [1, MIB - 1, 3 * MIB, 11 * MIB])
def test_reading_begins_anywhere(store, tmp_path, offset):
    data = os.urandom(11 * MIB + 5)
    put(store, A, data, tmp_path)
    assert read(store, A, offset) == data[offset:]


def test_what_is_deleted_is_gone_and_may_be_deleted_again(store, tmp_path):
    put(store, A, b"x" * 100, tmp_path)
    for _ in range(2):
        store.delete(A)
    assert store.stored() == set()
    with pytest.raises(errors.NotFound):
        store.open(A)


def test_an_interrupted_put_can_be_deleted(store, tmp_path):
    path = tmp_path / "part"
    path.write_bytes(os.urandom(12 * MIB))
    calls = []

    def beat():
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt), Source(path, beat) as source:
        store.put(A, source)
    store.delete(A)
    assert store.stored() == set()


def test_an_empty_image_is_one(store, tmp_path):
    put(store, A, b"", tmp_path)
    assert store.stored() == {A}


def test_it_says_where_an_image_is_without_secrets(store):
    assert A in store.url(A) and "secret" not in store.url(A) and "secret" not in str(store.properties())
    assert store.description


@pytest.mark.parametrize(("kind", "lines"), [
    ("s3", ["s3_store_host = http://127.0.0.1:9", "s3_store_access_key = k", "s3_store_secret_key = s"]),
    ("swift", ["swift_store_auth_address = http://127.0.0.1:9/auth/v1.0", "swift_store_auth_version = 1",
               "swift_store_user = a:b"]),
    ("rbd", ["rbd_store_ceph_conf = /nowhere"])])
def test_a_store_that_is_away(tmp_path, monkeypatch, kind, lines):
    for name, module in rbd_stub.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    store = load(tmp_path, kind, lines).default
    for call in (store.open, store.delete):
        with pytest.raises(errors.ServiceUnavailable):
            call(A)
    with pytest.raises(errors.ServiceUnavailable):
        put(store, A, b"x", tmp_path)


@pytest.mark.parametrize(("lines", "text"), [
    (["enabled_backends = one:tape"], "tape"), (["enabled_backends = one:http"], "writable"),
    (["enabled_backends = one:file", "default_backend = two"], "two"),
    (["enabled_backends = one:file,two:file"], "same storage"), (["enabled_backends = image:file"], "another option or group")])
def test_a_configuration_that_cannot_be(tmp_path, lines, text):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "image.conf").write_text("\n".join(["[image]", *lines]))
    with pytest.raises(ValueError, match=text):
        Stores(conf.load("image", OPTS, str(tmp_path)), str(tmp_path / "images"))


def test_a_library_that_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rados", None)
    with pytest.raises(ValueError, match="rados"):
        load(tmp_path, "rbd", [])


@pytest.mark.parametrize("number, status, says", [(errno.ENOSPC, 413, "not enough space in the image store"),
                                                  (errno.EDQUOT, 413, "not enough space in the image store"),
                                                  (errno.EACCES, 503, "the image store")])
def test_why_data_could_not_be_written(number, status, says):
    error = unwritten(OSError(number, "said by the kernel, with /a/path"))
    assert isinstance(error, errors.Error) and error.status == status
    assert says in error.public and "/a/path" not in error.public


def test_a_client_that_breaks_off_is_no_full_disk():
    broken = webob.request.DisconnectionError("the client went away")
    assert unwritten(broken) is broken
