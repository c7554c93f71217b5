"""Copies of far images, in a directory that several processes share."""

import concurrent.futures
import hashlib
import io
import os

import pytest

from image.cache import STALE_S, Cache

IDS = [f"0000000{n}-0000-4000-8000-000000000000" for n in range(8)]


@pytest.fixture
def cache(tmp_path):
    return Cache(str(tmp_path / "copies"), 3000)


def row(id: str, data: bytes, *, sound: bool = True) -> dict:
    return {"id": id, "size": len(data), "os_hash_algo": "sha256",
            "os_hash_value": hashlib.sha256(data).hexdigest() if sound else "0" * 64}


def read(cache: Cache, image: dict, data: bytes) -> bytes:
    """As a download does: from the cache, else from afar, beside a copy."""
    stream = cache.open(image) or cache.copying(image, io.BytesIO(data))
    stream.seek(0)
    found = b""
    while chunk := stream.read(100):
        found += chunk
    stream.close()
    return found


def ids(cache: Cache) -> list[str]:
    return [each["image_id"] for each in cache.cached()]


def test_the_second_reader_needs_no_store(cache):
    data = os.urandom(1000)
    assert read(cache, row(IDS[0], data), data) == data and ids(cache) == [IDS[0]]
    assert read(cache, row(IDS[0], data), b"") == data and cache.cached()[0]["hits"] == 1


def test_incomplete_or_wrong_data_is_not_cached(cache):
    data = os.urandom(1000)
    assert read(cache, row(IDS[0], data), data[:500]) == data[:500]
    assert read(cache, row(IDS[1], data, sound=False), data) == data
    stream = cache.copying(row(IDS[2], data), io.BytesIO(data))
    stream.seek(10)
    assert stream.read(10) == data[10:20]
    stream.close()
    assert ids(cache) == [] and not list((cache.path / "incomplete").iterdir())


def test_the_least_recently_used_copy_is_removed_first(cache):
    data = os.urandom(1000)
    for number, image in enumerate(IDS[:3]):
        read(cache, row(image, data), data)
        os.utime(cache.path / image, (1000 + number,) * 2)
    read(cache, row(IDS[0], data), data)
    read(cache, row(IDS[3], data), data)
    assert set(ids(cache)) == {IDS[0], IDS[2], IDS[3]}
    assert read(cache, row(IDS[4], data * 4), data * 4) == data * 4 and IDS[4] not in ids(cache), "larger than all of it"


def test_a_reader_continues_when_its_copy_is_removed(cache):
    data = os.urandom(1000)
    read(cache, row(IDS[0], data), data)
    stream = cache.open(row(IDS[0], data))
    assert cache.drop(IDS[0]) and not cache.drop(IDS[0])
    assert stream.read(2000) == data


def work(path: str, number: int) -> int:
    """One process that reads all images again and again, in another order than the others."""
    cache, right = Cache(path, 3000), 0
    for turn in range(60):
        image = IDS[(number + turn * (number + 1)) % len(IDS)]
        data = hashlib.sha256(image.encode()).digest() * 30
        right += read(cache, row(image, data), data) == data
        if turn % 20 == number:
            cache.clear(copies=True, queue=True)
    return right


def test_several_processes_share_it_without_locks(tmp_path):
    path = str(tmp_path / "copies")
    with concurrent.futures.ProcessPoolExecutor(4) as several:
        assert list(several.map(work, [path] * 4, range(4))) == [60] * 4
    left = Cache(path, 3000)
    assert sum(each["size"] for each in left.cached()) <= 3000 and not list((left.path / "incomplete").iterdir())


def test_only_what_is_its_own_is_swept(cache):
    data = os.urandom(100)
    read(cache, row(IDS[0], data), data)
    cache.ask(IDS[1])
    (cache.path / "somebody-else-s").write_bytes(b"x")
    old, new = cache.new(IDS[2]), cache.new(IDS[2])
    for part in (old, new):
        part.write_bytes(b"x")
    os.utime(old, (os.stat(old).st_mtime - STALE_S - 1,) * 2)
    cache.clean(set())
    assert ids(cache) == [] and cache.queued() == [] and (cache.path / "somebody-else-s").exists()
    assert new.exists() and not old.exists()
