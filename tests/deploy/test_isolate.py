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
    done = subprocess.run([str(ISOLATE), "outer", "sh", "-c", DEFINE, str(ISOLATE)], capture_output=True, text=True, timeout=180)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("libvirtd"), reason="takes root and libvirt")
def test_a_host_of_the_lab_comes_back_with_its_own(tmp_path):
    """What is defined there, and the memory of suspended guests; who it is to libvirt stays the same too."""
    environment = {**os.environ, "PILEUS_LIBVIRT": str(tmp_path / "libvirt")}

    def inside(command: str) -> str:
        return subprocess.run([str(ISOLATE), "inner", "sh", "-c", command], capture_output=True, text=True, timeout=180,
                              check=True, env=environment, umask=0o077).stdout
    first = inside("touch /etc/libvirt/qemu/own.xml; mkdir -p /var/lib/libvirt/qemu/save; echo memory > "
                   "/var/lib/libvirt/qemu/save/own; grep ^host_uuid /etc/libvirt/libvirtd.conf")
    assert inside("cat /var/lib/libvirt/qemu/save/own; ls /etc/libvirt/qemu/own.xml; grep ^host_uuid "
                  "/etc/libvirt/libvirtd.conf") == f"memory\n/etc/libvirt/qemu/own.xml\n{first}"
    assert inside("env | grep PILEUS_LIBVIRT || true") == ""
    assert inside("stat -c %a /var/lib/libvirt /etc/libvirt") == "755\n755\n", "QEMU's user must get through"
