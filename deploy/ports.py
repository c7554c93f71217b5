"""The ports that a cloud needs, whether they are free, and which processes use those that are not."""

import errno
import ipaddress
import socket

import psutil

from deploy.daemons import METRICS_PORT, PORTS


def needed(offset: int = 0) -> dict[int, str]:
    """{port: what listens there}"""
    return {port + offset: name for name, port in PORTS.items()}


def taken(address: str, port: int) -> bool:
    """Whether a daemon could not listen there.

    :raises OSError: the address is not on this host, or the port is not permitted
    """
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return True
    return False


def describe(pid: int) -> str:
    """"pid 7 (python -m something)" of a process, as far as it is visible to this user."""
    try:
        return f"pid {pid} ({' '.join(psutil.Process(pid).cmdline())[:120]})"
    except psutil.Error:
        return f"pid {pid}"


def owner(port: int) -> str:
    """The process that listens at a port, described in words."""
    try:
        listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN
                     and c.laddr and c.laddr.port == port]
    except psutil.AccessDenied:
        listening = []
    pids = [c.pid for c in listening if c.pid]
    return describe(pids[0]) if pids else "a process of another user"


def conflicts(address: str, offset: int = 0, metrics_address: str = "127.0.0.1") -> list[str]:
    """A sentence for each program that uses required ports.

    :raises OSError: an address is not on this host
    """
    wanted = [(address, port, name) for port, name in needed(offset).items()]
    used: dict[str, list[str]] = {}
    for where, port, name in [*wanted, (metrics_address, METRICS_PORT + offset, "metrics")]:
        if taken(where, port):
            used.setdefault(owner(port), []).append(f"{port} ({name})")
    return [f"Port{'s' if len(found) > 1 else ''} {', '.join(found)} {'are' if len(found) > 1 else 'is'} used by {program}."
            for program, found in used.items()]


def why_no_metrics(address: str, api_address: str) -> str:
    """Why /metrics must not be served at an address; empty: it may be.

    :param api_address: address of the APIs, which users of the cloud can reach
    """
    wanted = ipaddress.ip_address(address)
    if wanted.is_unspecified:
        return f"{address} means all addresses of this host; use the one that Prometheus connects to."
    if wanted == ipaddress.ip_address(api_address) and not wanted.is_loopback:
        return (f"{address} is the address of the APIs, whose users must not reach the metrics; use an address of the "
                "operators' network.")
    return ""


def explain(error: OSError) -> str:
    """An OSError at the start in words that say what to do."""
    path = f" {error.filename}" if error.filename else ""
    known = {errno.EADDRINUSE: "a port is used by another program",
             errno.EADDRNOTAVAIL: "the address is on no interface of this host",
             errno.EACCES: f"no permission for{path or ' what it needs'}", errno.EPERM: f"not permitted:{path}",
             errno.ENOSPC: f"no space is left on the device of{path or ' the state directory'}",
             errno.EDQUOT: f"the disk quota is used up:{path}", errno.EROFS: f"the file system is read-only:{path}",
             errno.EMFILE: "too many files are open (see ulimit -n)", errno.ENOENT: f"there is no{path}",
             errno.ENOTDIR: f"not a directory:{path}"}
    return f"{known.get(error.errno or 0, 'the system refused')} ({error})"
