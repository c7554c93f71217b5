"""Directories of guests below a common one, by their servers' ids."""

import pathlib
import shutil

from common import errors

UUID_LENGTH = 36


def known(path: pathlib.Path) -> list[str]:
    """uuids"""
    return [p.name for p in path.iterdir() if p.is_dir() and len(p.name) == UUID_LENGTH]


def remove(path: pathlib.Path, uuid: str) -> None:
    """:raises StepFailed: some of the guest's files are left"""
    left: list[BaseException] = []

    def note(_, path, info) -> None:
        if not isinstance(info[1], FileNotFoundError):
            left.append(info[1])
    if len(uuid) == UUID_LENGTH:
        shutil.rmtree(path / uuid, onerror=note)
    if left:
        raise errors.StepFailed(reason="The files of the server could not be removed from its host.", internal=str(left[0]))
