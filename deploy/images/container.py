"""Build the test container: the test guest's files as an archive, of which a host with ``virt_type = lxc`` makes containers.

    python -m deploy.images.container TARGET.tar.gz

Needs Debian's busybox-static and dropbear-bin. The container takes DHCP and metadata, lets ``cirros`` and ``root`` in with the
server's key, and says on its console what it has found.
"""

import argparse
import pathlib
import sys
import tempfile

from deploy.images.build import copy_files, run

INITTAB = """::sysinit:/etc/init.d/rcS
::once:/etc/init.d/services >/dev/console 2>&1
::shutdown:/bin/echo the container powers off
"""
RCS = """#!/bin/sh
# The host has mounted what there is, and limits it.
mount -t tmpfs tmpfs /run
hostname -F /etc/hostname
ip link set lo up
echo "root is user $(awk '{print $2}' /proc/self/uid_map) of the host"
for file in /var/lib/cloud/seed/config_drive/openstack/latest/*; do [ -e "$file" ] && echo "config drive: $(cat $file)"; done
"""


def build(target: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory(prefix="pileus-image-") as name:
        root = pathlib.Path(name) / "root"
        copy_files(root)
        (root / "modules/order").touch()
        (root / "etc/inittab").write_text(INITTAB)
        (root / "etc/init.d/rcS").write_text(RCS)
        partial = target.with_suffix(".part")
        run("tar", "--create", "--gzip", "--sort=name", "--owner=0", "--group=0", "--file", partial, "--directory", root, ".")
        partial.rename(target)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description="Build the test container's image.")
    parser.add_argument("target", type=pathlib.Path, help="tar.gz file to create")
    build(parser.parse_args(argv).target.absolute())
    return 0


if __name__ == "__main__":
    sys.exit(main())
