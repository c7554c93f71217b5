"""Taps in the kernel: with one queue, or with several."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SCRIPT = """
import fcntl, os, struct
from network.agent.links import Links
TUNSETIFF, TAP, NO_PI, VNET_HDR, MULTI_QUEUE = 0x400454CA, 2, 0x1000, 0x4000, 0x100

def opened(flags):  # as QEMU's end is
    handle = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(handle, TUNSETIFF, struct.pack("16sH22x", b"tap1", TAP | NO_PI | VNET_HDR | flags))
    except OSError:
        os.close(handle)
        return None
    return handle

links = Links()
links.ensure_bridge("brq1", 1450)
links.ensure_tap("tap1", "brq1", 1450)
first = links.index("tap1")
one = opened(0)
assert one is not None and opened(MULTI_QUEUE) is None
links.ensure_tap("tap1", "brq1", 1450, multiqueue=True)
assert links.index("tap1") == first  # not while a guest has it
os.close(one)
links.ensure_tap("tap1", "brq1", 1450, multiqueue=True)
assert links.index("tap1") != first
several = [opened(MULTI_QUEUE) for _ in range(4)]
assert None not in several
now = links.index("tap1")
links.ensure_tap("tap1", "brq1", 1450, multiqueue=True)
assert links.index("tap1") == now
print("done")
"""


@pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists("/dev/net/tun"), reason="taps need root")
def test_a_tap_has_as_many_queues_as_it_is_opened_with_once_it_is_of_that_kind():
    done = subprocess.run(["unshare", "-n", sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "done", done.stderr
