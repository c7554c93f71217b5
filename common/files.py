"""Directories below the state directory: private, or traversable if another user must reach a file in them.

Daemons run with umask 077, so their files are private unless something here, or a chmod with a comment, says otherwise.
"""

import os
import pathlib

UMASK = 0o077


def private_directory(path: str | os.PathLike) -> pathlib.Path:
    """Create a directory that only its owner may enter, or make an existing one private."""
    made = pathlib.Path(path)
    made.mkdir(parents=True, exist_ok=True)
    made.chmod(0o700)
    return made


def restrict_access(state: str | os.PathLike, *, traversable: tuple[str, ...], skip: tuple[str, ...] = ()) -> None:
    """Take from files that are there already what the umask keeps from new ones.

    :param traversable: names of directories at the top through which others may go to what is theirs
    :param skip: paths, relative to the state, that are left alone; a part of one may be ``*``
    """
    for home, directories, names in os.walk(str(state)):
        below = pathlib.Path(home).relative_to(state).parts
        directories[:] = [d for d in directories if not any(pathlib.PurePath("/", *below, d).match(f"/{s}") for s in skip)]
        os.chmod(home, 0o711 if not below or below[0] in traversable else 0o700)
        for each in (pathlib.Path(home, n) for n in names):
            if each.is_file() and not each.is_symlink():
                each.chmod(each.stat().st_mode & 0o700)


def traversable_directory(path: str | os.PathLike, state: str | os.PathLike) -> pathlib.Path:
    """Make a directory that others may go through, and not list: QEMU and dnsmasq run as users of their own.

    :param state: the directories between this one and it become traversable too
    """
    made = pathlib.Path(path)
    made.mkdir(parents=True, exist_ok=True)
    top = pathlib.Path(state)
    between = [made, *(p for p in made.parents if top in p.parents)] if top in made.parents else [made]
    for each in between:
        each.chmod(0o711)
    return made
