"""What the source of a live migration may ask of the target's libvirtd."""

import struct

import hypothesis
import hypothesis.strategies as st
import pytest

from compute_agent.virt.libvirt import gate
from compute_agent.virt.libvirt.live import destination
from tests.compute.test_arriving_guests import definition, running

GUEST = destination(running("source"), definition("target9"))
URIS = {"migrate_uri": "unix:///run/m", "disks_uri": "unix:///run/d"}
REMOTE, PREPARE, FINISH = 0x20008086, 303, 306
GOOD_FLAGS = 0xA3


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack(">I", len(raw)) + raw + b"\0" * (-len(raw) % 4)


def call(procedure: int, body: bytes = b"", *, program: int = REMOTE, kind: int = 0) -> bytes:
    return struct.pack(">IIIiiIi", 28 + len(body), program, 1, procedure, kind, 7, 0) + body


def opening(uri: str | None = "qemu:///system", flags: int = 0) -> bytes:
    return call(1, (struct.pack(">I", 0) if uri is None else struct.pack(">I", 1) + text(uri)) + struct.pack(">I", flags))


def migration(procedure: int = PREPARE, flags: int = GOOD_FLAGS, **given: str | int | None) -> bytes:
    values = {"destination_xml": GUEST, "destination_name": "instance-s", "bandwidth": 5, **URIS, **given}
    values = {name: value for name, value in values.items() if value is not None}
    body = struct.pack(">I", len(values))
    for name, value in values.items():
        body += text(name) + (struct.pack(">iQ", 4, value) if isinstance(value, int) else struct.pack(">i", 7) + text(value))
    return call(procedure, body + text("<cookie/>") + struct.pack(">Ii", flags, 0))


@pytest.fixture
def passes():
    return gate.Gate(GUEST, URIS).passes


def test_a_migration_passes_however_its_bytes_are_cut(passes):
    sent = b"".join([call(66), opening(), call(60, b"\0\0\0\1"), call(360), migration(),
                     call(1, program=0x6B656570, kind=2), migration(FINISH), call(361), call(2)])
    assert b"".join(passes(sent[at:at + 997]) for at in range(0, len(sent), 997)) == sent


@pytest.mark.parametrize("sent", [
    call(11, text(GUEST)), call(350), call(12), call(60, kind=3), call(60, kind=4), call(1, program=0x20008087),
    struct.pack(">I", 27) + b"\0" * 24, struct.pack(">I", 1 << 30) + b"\0" * 24,
    *(opening(uri) for uri in (None, "", "qemu:///session", "test:///default", "qemu+ext://x/system?command=/bin/sh", "esx://x/",
                              "qemu+ssh://root@10.0.0.9/system", "qemu:///system?socket=/run/x")), opening(flags=1), call(1),
    *(migration(flags=GOOD_FLAGS | 1 << bit) for bit in range(32) if not gate.FLAGS >> bit & 1), migration(flags=1),
    migration(FINISH, flags=GOOD_FLAGS | 8), migration(migrate_uri=None), migration(disks_uri=None),
    migration(destination_xml=None), migration(destination_name="instance-other"), migration(listen_address="0.0.0.0"),
    migration(disks_port=10809), migration(graphics_uri="vnc://10.0.0.9:5900"), migration(what_comes_later="x"), migration(migrate_uri="tcp://0.0.0.0:49152"),
    migration(disks_uri="unix:///etc/x"), migration(persistent_xml=GUEST), migration(destination_xml="<domain"),
    call(PREPARE, b"\xff\xff\xff\xff"), call(PREPARE, struct.pack(">I", 1) + text("x") + struct.pack(">i", 9))])
def test_whatever_else_is_asked_is_refused(passes, sent):
    with pytest.raises(gate.Refused):
        passes(sent)


@pytest.mark.parametrize(("old", "new"), [
    ("/target9/disk", "/etc/shadow"), ("+1007", "+0"), ("/target9/kernel", "/root/k"), ("tapport-000000", "tapport-other0"),
    ("<devices>", "<devices><hostdev mode='subsystem' type='pci'/>"), ("<devices>", "<devices><emulator>/bin/x</emulator>"),
    ("<devices>", "<devices><filesystem/>"), ('<seclabel type="static"', '<seclabel type="none"'),
    ("/target9/console.log", "/etc/cron.d/x"), ("chap-target9", "chap-another"), ("<name>instance-s", "<name>instance-other"),
    ('host="target9"', 'host="other"'), ('host="target9"', 'host="target9" reserved="0-99"'),
    ("<uuid>s", "<uuid>other"), ('<memory unit="MiB">128', '<memory unit="MiB">128000'), ("<vcpu>1", "<vcpu>64"),
    ("<vcpu>1</vcpu>", "<vcpu>1</vcpu><cputune><vcpupin vcpu='0' cpuset='1'/></cputune>")])
def test_a_guest_that_uses_something_else_of_the_host_is_refused(passes, old, new):
    assert old in GUEST
    with pytest.raises(gate.Refused):
        passes(migration(destination_xml=GUEST.replace(old, new, 1)))
    assert gate.foreign(GUEST.replace(old, new, 1), GUEST)


@hypothesis.given(st.sampled_from([opening(), migration(), migration(FINISH), call(60, b"\0\0\0\1")]), st.data())
def test_a_call_that_was_changed_anywhere_passes_unchanged_or_is_refused(sent, data):
    at = data.draw(st.integers(0, len(sent) - 1))
    changed = sent[:at] + data.draw(st.binary(min_size=1, max_size=8)) + sent[at + data.draw(st.integers(0, 8)):]
    try:
        assert changed.startswith(gate.Gate(GUEST, URIS).passes(changed))
    except gate.Refused:
        return


def test_a_definition_that_is_nested_too_deeply_is_refused(passes):
    with pytest.raises(gate.Refused):
        passes(migration(destination_xml="<source>" * 50000 + "</source>" * 50000))


def reply(uri: str | None, *, status: int = 0, procedure: int = PREPARE, kind: int = 1, program: int = REMOTE) -> bytes:
    body = text("<cookie/>") + (struct.pack(">I", 0) if uri is None else struct.pack(">I", 1) + text(uri))
    return struct.pack(">IIIiiIi", 28 + len(body), program, 1, procedure, kind, 7, status) + body


def test_answers_pass_unless_they_lead_the_source_elsewhere():
    sent = b"".join([reply(None), reply(URIS["migrate_uri"]), reply("an error", status=1), reply("x", procedure=FINISH),
                     reply("x", kind=2, procedure=1, program=0x6B656570)])
    passes = gate.Replies(URIS["migrate_uri"]).passes
    assert b"".join(passes(sent[at:at + 11]) for at in range(0, len(sent), 11)) == sent
    for wrong in (reply("unix:///run/docker.sock"), reply("tcp:10.0.0.9:22"), reply("", kind=0), reply("", kind=3),
                  reply("", program=0x20008087), struct.pack(">I", 1 << 30) + b"\0" * 24, call(PREPARE, b"\0", kind=1)):
        with pytest.raises(gate.Refused):
            gate.Replies(URIS["migrate_uri"]).passes(wrong)


def test_what_only_a_running_guest_has_is_not_foreign():
    own = definition("target9")
    assert gate.foreign(GUEST.replace("<devices>", "<resource><partition>/machine</partition></resource><devices>"), own) == []
