"""A host of the lab begins without the guests of the host it is made on."""

import os
import pathlib
import shutil
import subprocess

import pytest

ISOLATE = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "isolate"
DEFINE = """mkdir -p /etc/libvirt/qemu/autostart /etc/libvirt/secrets
touch /etc/libvirt/qemu/instance-1.xml /etc/libvirt/qemu/autostart/instance-1.xml /etc/libvirt/secrets/s.xml
"$0" inner find /etc/libvirt -name "*.xml" -path "*/qemu/*instance*" -o -path "*/secrets/*"
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("libvirtd"), reason="takes root and libvirt")
def test_a_host_begins_without_the_definitions_of_the_one_around_it():
    done = subprocess.run([str(ISOLATE), "outer", "sh", "-c", DEFINE, str(ISOLATE)], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
