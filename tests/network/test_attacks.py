"""Runs ``attacks.py``: real frames against the real data plane, in namespaces of its own."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest


@pytest.mark.skipif(os.geteuid() != 0 or not all(map(shutil.which, ("ipset", "nft", "dnsmasq"))), reason="needs root")
def test_a_guest_with_root_reaches_nothing_that_is_not_for_it():
    inside = pathlib.Path(__file__).with_name("attacks.py")
    script = f"mount -t sysfs sysfs /sys; mount -t tmpfs tmpfs /run; mkdir -p /run/netns /run/lock; exec {sys.executable} -m " \
             f"pytest -q -p no:cacheprovider {inside}"
    done = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script],
                          capture_output=True, text=True, timeout=600, cwd=inside.parents[2])
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
