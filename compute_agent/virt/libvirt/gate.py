"""What the source of a live migration may ask of the target's libvirtd: to receive this one guest. And what it may be answered.

The source's libvirtd talks to the target's as its administrator. The gate reads each of its calls and passes on only those that a
migration makes, if they name this host's sockets and a definition that uses nothing else of this host than the server's own. The
source connects to where the target says, as root; so its agent reads the answers.

Source of the format: libvirt's src/rpc/virnetprotocol.x and src/remote/remote_protocol.x. A call is its length, program, version,
procedure, type, serial and status, 4 bytes each, and the arguments in XDR (RFC 4506).
"""

import struct
import xml.etree.ElementTree as ET

from compute_agent.virt.libvirt.xml import METADATA_URI

_HEADER = struct.Struct(">IIIiiIi")
_REMOTE, _KEEPALIVE = 0x20008086, 0x6B656570
_CALL, _REPLY, _EVENT = 0, 1, 2
_OK = 0
MAX_CALL_BYTES = 4 << 20
OPEN, PREPARE, FINISH = 1, 303, 306
# libvirtd opens what it is given, and there are URIs for which it runs a program or connects to another host.
DRIVER = "qemu:///system"
# connect_close, connect_supports_feature, auth_list, connect_(un)register_close_callback
_HARMLESS = frozenset((2, 60, 66, 360, 361))
# virDomainMigrateFlags that ``live`` uses. With others, the guest would be defined as the source says, or its data would come
# another way.
LIVE, PEER2PEER, PAUSED, NON_SHARED_INC, ABORT_ON_ERROR, AUTO_CONVERGE = 1, 2, 32, 128, 4096, 8192
FLAGS = LIVE | PEER2PEER | PAUSED | NON_SHARED_INC | ABORT_ON_ERROR | AUTO_CONVERGE
# Parameters that change neither what the guest is nor whom it listens to.
_HARMLESS_PARAMETERS = frozenset(("bandwidth", "migrate_disks"))
_GUEST, _NAME, _MEMORY, _DISKS = "destination_xml", "destination_name", "migrate_uri", "disks_uri"
_SCALARS = {1: ">i", 2: ">I", 3: ">q", 4: ">Q", 5: ">d", 6: ">i"}
_STRING = 7
# Elements that name something of a host, or say how much of it the guest has. A guest may arrive with those alone that the
# target itself would give it.
_OF_HOST = frozenset((
    f"{{{METADATA_URI}}}instance", "name", "uuid", "emulator", "source", "backingStore", "kernel", "initrd", "loader", "nvram",
    "log", "label", "baselabel", "auth", "initiator", "secret", "host", "backend", "path", "init", "seclabel", "target",
    "memory", "vcpu", "cell", "vcpupin", "emulatorpin", "vcpusched", "shares", "period", "quota", "memnode", "page"))


# What libvirt says of a running guest only: its CPU, which is compared, and where it is.
_OF_RUNNING = frozenset(("model", "vendor", "feature", "topology", "cache", "maxphysaddr", "alias", "address", "resource",
                         "partition"))


class Refused(OSError):
    """The call is none that a migration makes; the channel ends."""


class _Reader:
    def __init__(self, data: bytes):
        self._data, self._at = data, 0

    def scalar(self, form: str):
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return value

    def bytes(self) -> bytes:
        length = self.scalar(">I")
        if self._at + length > len(self._data):
            raise Refused("a text is longer than its message")
        found = self._data[self._at:self._at + length]
        self._at += length + -length % 4
        return found


def _parameters(reader: _Reader) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for _ in range(reader.scalar(">I")):
        name, kind = reader.bytes().decode(), reader.scalar(">i")
        if kind != _STRING and kind not in _SCALARS:
            raise Refused(f"a parameter of kind {kind}")
        found.append((name, reader.bytes().decode() if kind == _STRING else reader.scalar(_SCALARS[kind])))
    return found


def _host_parts(definition: str) -> set[str]:
    """The elements of a guest's definition that name something of a host, whatever is said of devices' addresses."""
    return {ET.canonicalize(ET.tostring(each, encoding="unicode"), strip_text=True)
            for each in ET.fromstring(definition).iter() if each.tag in _OF_HOST}


def _tags(definition: str) -> set[str]:
    return {each.tag for each in ET.fromstring(definition).iter()}


def foreign(definition: str, own: str) -> list[str]:
    """What a definition has of a host, or of kinds of devices, that this host's own for the same server does not have."""
    return sorted(_host_parts(definition) - _host_parts(own)) or sorted(_tags(definition) - _tags(own) - _OF_RUNNING)


class _Messages:
    """Passes on whole messages that have been checked."""

    def __init__(self) -> None:
        self._unread = b""

    def passes(self, data: bytes) -> bytes:
        """What of the bytes that one side has sent so far may be passed on to the other.

        :raises Refused: a message that is not allowed is among them
        """
        self._unread += data
        passed = b""
        while len(self._unread) >= _HEADER.size:
            length = _HEADER.unpack_from(self._unread)[0]
            if not _HEADER.size <= length <= MAX_CALL_BYTES:
                raise Refused(f"a message of {length} bytes")
            if len(self._unread) < length:
                break
            try:
                self._check(self._unread[:length])
            except (struct.error, UnicodeDecodeError, ET.ParseError, RecursionError) as error:
                raise Refused(f"a message that cannot be read: {error}") from error
            passed, self._unread = passed + self._unread[:length], self._unread[length:]
        return passed

    def _check(self, message: bytes) -> None:
        raise AssertionError("must be overridden")


class Replies(_Messages):
    """Of the target's libvirtd.

    :param memory: the URI at which the target receives the guest's memory; without another in a reply, the source uses it
    """

    def __init__(self, memory: str):
        super().__init__()
        self._memory = memory

    def _check(self, message: bytes) -> None:
        _, program, _, procedure, kind, _, status = _HEADER.unpack_from(message)
        if program not in (_REMOTE, _KEEPALIVE) or kind not in (_REPLY, _EVENT):
            raise Refused(f"a message of kind {kind} for program {program:#x}")
        if (program, procedure, kind, status) == (_REMOTE, PREPARE, _REPLY, _OK):
            reader = _Reader(message[_HEADER.size:])
            reader.bytes()  # the cookie
            if reader.scalar(">I") and (uri := reader.bytes().decode()) != self._memory:
                raise Refused(f"memory at {uri}")


class Gate(_Messages):
    """
    :param guest: the definition with which the guest is to arrive
    :param uris: {"migrate_uri", "disks_uri": the only value that it may have}
    """

    def __init__(self, guest: str, uris: dict[str, str]):
        super().__init__()
        self._guest = guest
        self._only = {**uris, _NAME: ET.fromstring(guest).findtext("name")}

    def _check(self, call: bytes) -> None:
        _, program, _, procedure, kind, _, _ = _HEADER.unpack_from(call)
        if program == _KEEPALIVE:
            return
        if program != _REMOTE or kind != _CALL:
            raise Refused(f"a message of kind {kind} for program {program:#x}")
        if procedure == OPEN:
            self._check_open(_Reader(call[_HEADER.size:]))
        elif procedure in (PREPARE, FINISH):
            self._check_migration(_Reader(call[_HEADER.size:]), prepares=procedure == PREPARE)
        elif procedure not in _HARMLESS:
            raise Refused(f"procedure {procedure}")

    @staticmethod
    def _check_open(reader: _Reader) -> None:
        uri = reader.bytes().decode() if reader.scalar(">I") == 1 else None  # a pointer of XDR: whether there is one
        if uri != DRIVER or reader.scalar(">I"):
            raise Refused(f"a connection to {uri}, or with flags")

    def _check_migration(self, reader: _Reader, *, prepares: bool) -> None:
        given = _parameters(reader)
        reader.bytes()  # the cookie, by which the two libvirtd agree on capabilities
        flags = reader.scalar(">I")
        if flags & ~FLAGS or not flags & PEER2PEER:
            raise Refused(f"flags {flags:#x}")
        for name, value in given:
            if name == _GUEST:
                self._check_guest(str(value))
            elif value != self._only.get(name) and name not in _HARMLESS_PARAMETERS:
                raise Refused(f"{name} {value}")
        # Where none is given, QEMU listens on a port of every address of the host.
        needed = {_GUEST, _MEMORY, *([_DISKS] if flags & NON_SHARED_INC else [])} if prepares else set()
        if missing := needed - {name for name, _ in given}:
            raise Refused(f"no {', '.join(sorted(missing))}")

    def _check_guest(self, definition: str) -> None:
        if found := foreign(definition, self._guest) or sorted(_host_parts(self._guest) - _host_parts(definition)):
            raise Refused(f"a guest with another {found[0][:200]}")
