"""A state directory: whether it is a cloud's, what was chosen for that cloud, and who works on it now."""

import contextlib
import dataclasses
import fcntl
import os
import pathlib

CHOICES = "deploy.ini"
# Of the files that an installer writes; a running cloud with older ones is stopped and gets new ones.
LAYOUT = 3
FAKE, LIBVIRT = "fake", "libvirt"


class StateError(Exception):
    """A state directory cannot be used as asked; the text says why and what to do."""


@dataclasses.dataclass
class Choices:
    """What an operator chose; kept in ``<state>/etc/deploy.ini``, so that ``up`` needs no option twice.

    ``database`` may hold a password. ``lab_hosts`` are the names of further hosts on this machine.
    """
    driver: str = LIBVIRT
    ip: str = ""
    metrics_ip: str = ""
    database: str = ""
    image: str = ""
    image_format: str = "qcow2"
    port_offset: int = 0
    lab_hosts: list[str] = dataclasses.field(default_factory=list)
    layout: int = LAYOUT


def is_cloud(state: str) -> bool:
    """Whether an ``up`` has begun here, however far it came."""
    return any(pathlib.Path(state, "etc", name).is_file() for name in ("secrets.ini", CHOICES, "pileus.conf"))


def driver_of(state: str) -> str | None:
    """Of which kind the cloud is; None as long as that is open."""
    known = any(pathlib.Path(state, "etc", name).is_file() for name in (CHOICES, "pileus.conf"))
    return load(state).driver if known else None


def require_cloud(state: str) -> None:
    """:raises StateError: there is no cloud in this directory"""
    if not is_cloud(state):
        raise StateError(f"There is no cloud in {state}.")


def load(state: str) -> Choices:
    """What is known; the defaults where nothing is, or for a cloud of before there was a memory what its files tell."""
    from configparser import ConfigParser
    etc = pathlib.Path(state, "etc")
    known, found = ConfigParser(interpolation=None), Choices()
    if known.read(etc / CHOICES):
        section = known["deploy"]
        found.layout = 0
        for field in dataclasses.fields(Choices):
            if field.name in section:
                text = section[field.name]
                setattr(found, field.name, text.split() if field.name == "lab_hosts" else
                        int(text) if field.type is int else text)
    elif known.read(etc / "pileus.conf"):
        found.layout = 0
        found.ip = known.get("DEFAULT", "my_ip", fallback="")
        found.driver = FAKE if known.get("DEFAULT", "transport_url", fallback="").startswith("fake:") else LIBVIRT
        found.database = _database(etc)
        found.port_offset = int(known.get("endpoints", "identity", fallback=":5000").rpartition(":")[2]) - 5000
        found.lab_hosts = sorted(p.name for p in pathlib.Path(state, "lab").glob("*") if (p / "etc").is_dir())
    return found


def _database(etc: pathlib.Path) -> str:
    from configparser import ConfigParser
    known = ConfigParser(interpolation=None)
    known.read(etc / "identity.conf")
    return known.get("database", "connection", fallback="").rpartition("/")[0]


def save(state: str, choices: Choices) -> None:
    from configparser import ConfigParser

    from deploy import prepare
    values = {k: " ".join(v) if isinstance(v, list) else str(v) for k, v in dataclasses.asdict(choices).items()}
    written = ConfigParser(interpolation=None)
    written.read_dict({"deploy": values})
    etc = pathlib.Path(state, "etc")
    etc.mkdir(parents=True, exist_ok=True, mode=0o700)
    prepare.save(written, etc / CHOICES)


def check_driver(state: str, driver: str) -> None:
    """:raises StateError: the directory holds a cloud of the other kind, or something else than a cloud"""
    if is_cloud(state):
        known = driver_of(state)
        if known not in (None, driver):
            raise StateError(f"{state} holds a cloud with the driver {known}; give another --state.")
    elif _foreign(pathlib.Path(state)):
        raise StateError(f"{state} is not empty, and no cloud is in it; give another --state.")


def _foreign(path: pathlib.Path) -> list[str]:
    """What is in a directory that no ``up`` puts there before it has made secrets."""
    return [p.name for p in path.iterdir() if p.name not in ("venv", "log", "etc", "lock", "lost+found")] \
        if path.is_dir() else []


@contextlib.contextmanager
def locked(state: str):
    """Work on a state directory alone; the lock ends with the process, however that ends.

    :raises StateError: somebody else does, with his pid
    """
    path = pathlib.Path(state, "lock")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(f"{state} is in use by {holder(state) or 'another process'}.") from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def holder_pid(state: str) -> int | None:
    """The process that holds the lock now."""
    try:
        handle = os.open(pathlib.Path(state, "lock"), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return int(os.pread(handle, 20, 0) or b"0") or None
    finally:
        os.close(handle)


def holder(state: str) -> str:
    from deploy.ports import describe
    pid = holder_pid(state)
    return describe(pid) if pid else ""
