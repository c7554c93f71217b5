"""State directories: whether one belongs to a cloud, the options chosen for that cloud, and the lock for changes."""

import contextlib
import dataclasses
import fcntl
import os
import pathlib

CHOICES = "deploy.ini"
# Version of the files that an installer writes; a running cloud with an older one is stopped and upgraded.
LAYOUT = 3
FAKE, LIBVIRT = "fake", "libvirt"


class StateError(Exception):
    """A state directory cannot be used as requested; the text says why and what to do."""


@dataclasses.dataclass
class Choices:
    """Options chosen by the operator, stored in ``<state>/etc/deploy.ini``, so that they need not be repeated.

    ``database`` may contain a password. ``lab_hosts`` are the names of additional hosts on this machine.
    ``virt_type`` is the option of the compute agent of this host.
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
    virt_type: str = "auto"


def is_cloud(state: str) -> bool:
    """Whether an ``up`` has begun here, even if it did not complete."""
    return any(pathlib.Path(state, "etc", name).is_file() for name in ("secrets.ini", CHOICES, "pileus.conf"))


def driver_of(state: str) -> str | None:
    """The driver of the cloud; None if it has not been chosen yet."""
    known = any(pathlib.Path(state, "etc", name).is_file() for name in (CHOICES, "pileus.conf"))
    return load(state).driver if known else None


def require_cloud(state: str) -> None:
    """:raises StateError: there is no cloud in this directory"""
    if not is_cloud(state):
        raise StateError(f"There is no cloud in {state}. Name the directory of one with --state, or start one with pileus up.")


def load(state: str) -> Choices:
    """The stored options; otherwise the defaults, or for a cloud of an older release, values derived from its files."""
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
    """:raises StateError: the directory contains a cloud with the other driver, or other files"""
    if is_cloud(state):
        known = driver_of(state)
        if known not in (None, driver):
            raise StateError(f"{state} contains a cloud with the driver {known}; give another --state.")
    elif _foreign(pathlib.Path(state)):
        raise StateError(f"{state} is not empty, and no cloud is in it; give another --state.")


def _foreign(path: pathlib.Path) -> list[str]:
    """The entries of a directory that no ``up`` creates before it has created secrets."""
    return [p.name for p in path.iterdir() if p.name not in ("venv", "log", "etc", "lock", "lost+found")] \
        if path.is_dir() else []


@contextlib.contextmanager
def locked(state: str):
    """Lock a state directory. The lock ends with the process.

    :raises StateError: another process has it, with its pid
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
    """The process that holds the lock."""
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
