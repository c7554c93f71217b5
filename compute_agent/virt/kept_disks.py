"""Disks of guests that are resized on their own host: a copy of them as they were is kept, until the resize is confirmed.

All of it is in the guest's own directory::

    disk, disks.json, …     what the guest uses
    kept-7/                 as they were before migration 7, until it is confirmed; after a revert, what is not restored yet
    kept-7/names.json       the names of the files in it
    made-7/                 while migration 7 is reverted: what the guest used since, in case that the revert fails

Every function may be interrupted anywhere and called again with the same arguments.
"""

import collections.abc
import json
import pathlib
import shutil
import subprocess
import time

from common import errors

# What is made anew whenever the guest is defined, and what is no state of its disks.
_OTHERS = ("console.log", "disk.config", "guest.json")
_NAMES = "names.json"
_POLL_S = 0.05


def _files(directory: pathlib.Path) -> set[str]:
    if not directory.is_dir():
        return set()
    return {p.name for p in directory.iterdir() if p.is_file() and p.name not in (*_OTHERS, _NAMES)
            and p.suffix not in (".part", ".new")}


def _copy(source: pathlib.Path, target: pathlib.Path, is_unwanted: collections.abc.Callable[[], bool]) -> None:
    """With owner, mode and holes; where the file system can, both share their blocks.

    :raises Superseded: nobody wants the copy any more
    """
    if is_unwanted():
        raise errors.Superseded()
    words = ["cp", "--preserve=mode,ownership,timestamps", "--sparse=always", "--reflink=auto", "--", str(source), str(target)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as copying:
        while copying.poll() is None:
            if is_unwanted():
                copying.kill()
                raise errors.Superseded()
            time.sleep(_POLL_S)
        told = copying.stderr.read() if copying.stderr else ""
    if copying.returncode:
        full = "No space left" in told
        raise errors.StepFailed(reason="The host has no space for a second copy of the disk." if full else
                                "The disk could not be copied.", internal=told.strip())


def keep(home: pathlib.Path, migration: int, is_unwanted: collections.abc.Callable[[], bool] = lambda: False) -> None:
    """Keep a copy of a stopped guest's disks, in place of any that is kept of an earlier migration.

    :raises StepFailed: they could not be copied
    :raises Superseded: ``is_unwanted`` said so
    """
    kept, part = home / f"kept-{migration}", home / f"kept-{migration}.part"
    if kept.is_dir():
        return
    drop(home)
    part.mkdir(mode=0o700)
    names = sorted(_files(home))
    try:
        for name in names:
            _copy(home / name, part / name, is_unwanted)
    except errors.Error:
        shutil.rmtree(part, ignore_errors=True)
        raise
    (part / _NAMES).write_text(json.dumps(names))
    part.rename(kept)


def restore(home: pathlib.Path, migration: int) -> None:
    """Use the kept disks, and put aside those in use, so that ``return_to`` can take them back. Does nothing if none are kept."""
    kept, made = home / f"kept-{migration}", home / f"made-{migration}"
    if not kept.is_dir():
        return
    names = json.loads((kept / _NAMES).read_text())
    made.mkdir(exist_ok=True)
    for name in _files(home) - _files(made):
        if name not in names or (kept / name).exists():  # otherwise it is the kept one, back in its place
            (home / name).rename(made / name)
    for name in _files(kept):
        (kept / name).rename(home / name)


def return_to(home: pathlib.Path, migration: int) -> None:
    """Undo ``restore``: use the disks of the new flavor again, and keep the others. Does nothing if they were not restored."""
    kept, made = home / f"kept-{migration}", home / f"made-{migration}"
    if not made.is_dir():
        return
    for name in json.loads((kept / _NAMES).read_text()):
        if (home / name).exists() and not (kept / name).exists():
            (home / name).rename(kept / name)
    for name in _files(made):
        (made / name).rename(home / name)
    made.rmdir()


def drop(home: pathlib.Path) -> None:
    """Remove what is kept, or put aside, of all migrations.

    :raises StepFailed: some of it is left
    """
    for found in [*home.glob("kept-*"), *home.glob("made-*")]:
        shutil.rmtree(found, ignore_errors=True)
        if found.exists():
            raise errors.StepFailed(reason="The former disk of the server could not be removed.")
