"""Worlds of two hosts for tests."""

import pathlib
import tempfile

import pytest

from tests.histories.world import Place


def memory() -> str | None:
    """A directory that is not on a disk, where there is one: journals are synced."""
    return "/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None


@pytest.fixture(scope="module")
def place():
    with tempfile.TemporaryDirectory(dir=memory()) as path:
        yield Place(pathlib.Path(path))


@pytest.fixture
def world(place):
    with place.world() as made:
        yield made
