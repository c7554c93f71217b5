"""A Debian with cloud-init as its users would make one: mmdebstrap's tree on one ext4 disk, kernel and ramdisk beside.

    python -m tests.e2e.debian_image DIRECTORY

writes ``disk.qcow2``, ``vmlinuz`` and ``initrd`` there. Takes about a minute; needs root, mmdebstrap and qemu-utils.
"""

import pathlib
import subprocess
import sys

PACKAGES = ("systemd-sysv cloud-init openssh-server linux-image-cloud-amd64 initramfs-tools iproute2 ifupdown "
            "isc-dhcp-client dbus udev")
# cloud-init looks at config drives first, then at the metadata service: as Debian's own cloud image does. That
# generates no locale either. An emulated guest is slow to make RSA keys.
SETTLE = """set -e; cd "$1"; : > etc/fstab; rm -f etc/resolv.conf
printf '%s\\n' 'datasource_list: [ ConfigDrive, OpenStack, None ]' 'locale: false' 'ssh_genkeytypes: [ed25519]' \\
    > etc/cloud/cloud.cfg.d/90_dpkg.cfg
cp boot/vmlinuz-* "$TARGET/vmlinuz"; cp boot/initrd.img-* "$TARGET/initrd"
rm -rf boot/* usr/share/doc/* usr/share/locale/*
"""


def build(target: pathlib.Path) -> None:
    """:raises RuntimeError: with the end of what mmdebstrap said"""
    target.mkdir(parents=True, exist_ok=True)
    hook = target / "settle"
    hook.write_text(f"#!/bin/sh\nTARGET='{target.resolve()}'\n{SETTLE}")
    hook.chmod(0o755)
    done = subprocess.run(["mmdebstrap", "--variant=minbase", "--mode=root", "--format=directory",
                           f"--include={','.join(PACKAGES.split())}", f"--customize-hook={hook.resolve()}", "bookworm",
                           str(target / "root")], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    for words in (["truncate", "-s", "1500M", "disk.raw"], ["mke2fs", "-q", "-F", "-t", "ext4", "-d", "root", "disk.raw"],
                  ["qemu-img", "convert", "-O", "qcow2", "disk.raw", "disk.qcow2"], ["rm", "-rf", "root", "disk.raw"]):
        subprocess.run(words, cwd=target, check=True)


if __name__ == "__main__":
    build(pathlib.Path(sys.argv[1]))
