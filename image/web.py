"""Downloads from URLs of users, limited to addresses on the Internet (see CVE-2022-47951).

A name is resolved once, all its addresses are checked, and the connection uses a checked address, so that another
answer to a second query (DNS rebinding) has no effect. Each redirect is checked like the first URL.
"""

import contextlib
import ipaddress
import socket
import typing
import urllib.parse

import urllib3

from common import errors, values

MAX_REDIRECTS = 5
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# The address blocks of the Internet by IANA's registries. Python considers all others global that no registry
# contains: site-local addresses, those that contain an IPv4 address (::127.0.0.1, ::ffff:0:127.0.0.1), local NAT64
# (64:ff9b:1::/48).
_UNICAST = ipaddress.ip_network("2000::/3")
_TIMEOUT = urllib3.Timeout(connect=10, read=60)


class Target(typing.NamedTuple):
    scheme: str
    host: str
    port: int
    address: str
    path: str


def target(url: str, conf) -> Target:
    """The target of a URL.

    :param conf: the group ``image`` of the configuration
    :raises BadRequest: not http or https, a port or address that is not allowed, or a password in the URL
    """
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        raise errors.BadRequest("URI for web-download does not pass filtering: it is not a valid URL.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise errors.BadRequest("URI for web-download does not pass filtering: it must be http or https, with a host and "
                                "without a user.")
    if port not in conf.import_allowed_ports:
        raise errors.BadRequest(f"URI for web-download does not pass filtering: port {port} is not allowed.")
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        raise errors.BadRequest("URI for web-download does not pass filtering: unknown host.") from None
    for address in found:
        if not _allowed(address, conf.import_allowed_networks):
            raise errors.BadRequest("URI for web-download does not pass filtering: its host is not on the Internet.")
    path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    return Target(parts.scheme, parts.hostname, port, sorted(found)[0], path)


def _allowed(address: str, networks: list[str]) -> bool:
    given = ipaddress.ip_address(address.split("%")[0])
    inner = _embedded(given) or given
    if any(inner in ipaddress.ip_network(n) for n in networks):
        return True
    return all(a.is_global and not a.is_multicast for a in (given, inner)) and (
        given.version == 4 or given in _UNICAST or given in _NAT64)


def _embedded(given) -> ipaddress.IPv4Address | None:
    """The IPv4 address that packets to an IPv6 address may be forwarded to (RFC 4291, 3056, 4380, 6052)."""
    if given.version == 4:
        return None
    if given in _NAT64:
        return ipaddress.IPv4Address(int(given) & 0xFFFFFFFF)
    return given.ipv4_mapped or given.sixtofour or (given.teredo[1] if given.teredo else None)


def _connect(to: Target) -> urllib3.HTTPConnectionPool:
    if to.scheme == "https":
        return urllib3.HTTPSConnectionPool(to.address, to.port, timeout=_TIMEOUT, server_hostname=to.host,
                                           assert_hostname=to.host, cert_reqs="CERT_REQUIRED")
    return urllib3.HTTPConnectionPool(to.address, to.port, timeout=_TIMEOUT)


def size(url: str, conf) -> int:
    """The size of a URL's data in bytes, as reported by its server.

    :raises BadRequest, StepFailed: as ``fetch``
    """
    with fetch(url, conf, method="HEAD") as response:
        text = response.headers.get("Content-Length", "")
    try:
        return values.integer(text, "Content-Length", high=values.INT64)
    except errors.BadRequest as error:
        raise errors.StepFailed(reason="The server does not report the size of the data.") from error


@contextlib.contextmanager
def fetch(url: str, conf, *, method: str = "GET"):
    """A stream (``read(n)``) of a URL's data.

    :raises BadRequest: the URL, or one that it redirects to, is not allowed
    :raises StepFailed: the server does not return it
    """
    for _ in range(MAX_REDIRECTS + 1):
        to = target(url, conf)
        default = {"http": 80, "https": 443}[to.scheme] == to.port
        host = f"[{to.host}]" if ":" in to.host else to.host
        pool = _connect(to)
        try:
            response = pool.urlopen(method, to.path, redirect=False, retries=False, preload_content=False, decode_content=False,
                                    headers={"Host": host if default else f"{host}:{to.port}", "Accept-Encoding": "identity"})
            if response.status in (301, 302, 303, 307, 308) and response.headers.get("Location"):
                url = urllib.parse.urljoin(url, response.headers["Location"])
                continue
            if response.status != 200:
                raise errors.StepFailed(reason=f"The server answered {response.status}.")
            yield response
            return
        except urllib3.exceptions.HTTPError as error:
            raise errors.StepFailed(reason="The data could not be downloaded.", internal=str(error)) from error
        finally:
            pool.close()
    raise errors.StepFailed(reason=f"The server redirects more than {MAX_REDIRECTS} times.")
