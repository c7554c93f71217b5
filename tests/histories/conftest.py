"""Worlds of two hosts for tests."""

import contextlib
import gc
import pathlib
import tempfile

import pytest

from tests.histories.world import Place


def memory() -> str | None:
    """A directory that is not on a disk, where there is one: journals are synced."""
    return "/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None


@contextlib.contextmanager
def made_place():
    with tempfile.TemporaryDirectory(dir=memory()) as path:
        found = Place(pathlib.Path(path))
        gc.collect()
        gc.freeze()  # what is there by now stays: looking through it again and again takes half of the time
        try:
            yield found
        finally:
            gc.unfreeze()


@pytest.fixture(scope="module")
def place():
    with made_place() as found:
        yield found


@pytest.fixture
def world(place):
    with place.world() as made:
        yield made
