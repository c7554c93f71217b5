"""Build the test guest: Debian's cloud kernel, BusyBox and dropbear on a disk that boots by itself.

    python -m deploy.images.build TARGET.qcow2

Needs Debian's busybox-static, dropbear-bin, e2fsprogs, syslinux, syslinux-efi,
mtools, dosfstools, cpio and qemu-utils; fetches the kernel package by apt;
mounts nothing. The disk has two partitions: FAT with kernel and initramfs,
from which a BIOS and UEFI can start, and ext4, last, which grows to the size
of the disk at first boot. The guest takes DHCP
and metadata (else a config drive), lets ``cirros`` and ``root`` in with the
server's key, runs user data that starts with ``#!``, and shows ``login:`` on
ttyS0.
"""

import argparse
import gzip
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MIB = 1 << 20
FAT_START, FAT_MIB, ROOT_MIB = 1, 24, 24
# In loading order; dependencies are read from the modules.
MODULES = ["virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_blk",
           "virtio_net", "virtio-rng", "virtio_scsi", "sd_mod", "acpiphp", "af_packet", "button", "evdev"]
LATE_MODULES = ["ata_piix", "sr_mod", "isofs", "nls_utf8", "nls_cp437", "nls_ascii", "vfat"]


def run(*words, cwd=None, stdin=None) -> str:
    done = subprocess.run([str(w) for w in words], cwd=cwd, input=stdin, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{words[0]} failed: {(done.stderr or done.stdout).strip()[-800:]}")
    return done.stdout


def unpack(package: str, work: pathlib.Path, target: pathlib.Path) -> None:
    """A Debian package's files, without installing it on this host."""
    run("apt-get", "download", package, cwd=work)
    run("dpkg-deb", "-x", next(work.glob(f"{package}_*.deb")), target)


def fetch_kernel(work: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """(vmlinuz, directory of modules) of Debian's newest cloud kernel."""
    text = run("apt-cache", "depends", "linux-image-cloud-amd64")
    package = re.search(r"Depends: (linux-image-\S+)", text)
    if not package:
        raise SystemExit("The package lists contain no cloud kernel; run 'apt-get update' first.")
    unpack(package[1], work, work / "kernel")
    return next((work / "kernel/boot").glob("vmlinuz-*")), next((work / "kernel/lib/modules").iterdir())


def with_dependencies(names: list[str], modules: pathlib.Path) -> list[pathlib.Path]:
    """Module files in loading order; built-in modules are omitted."""
    files = {p.stem.replace("-", "_"): p for p in modules.rglob("*.ko")}
    found: list[pathlib.Path] = []

    def add(name: str) -> None:
        path = files.get(name.replace("-", "_"))
        if path is None or path in found:
            return
        match = re.search(rb"\0depends=([^\0]*)\0", path.read_bytes())
        for dependency in (match[1].decode().split(",") if match and match[1] else []):
            add(dependency)
        found.append(path)
    for name in names:
        add(name)
    return found


def copy_program(program: str, root: pathlib.Path) -> None:
    """A program and its shared libraries."""
    source = pathlib.Path(shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") or program)
    for path in [source.resolve(), *map(pathlib.Path, re.findall(r"(/\S+) \(0x", run("ldd", source)))]:
        target = root / ("lib64" if "ld-linux" in path.name else "lib" if ".so" in path.name else "usr/sbin") / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copy(path.resolve(), target)
            run("strip", "--strip-unneeded", target) if shutil.which("strip") else None


def make_initramfs(work: pathlib.Path, modules: pathlib.Path) -> pathlib.Path:
    """Loads drivers, grows the root partition, and hands over to it."""
    root = work / "initramfs"
    for name in ("bin", "lib", "proc", "sys", "dev", "root", "modules"):
        (root / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    copy_program("resize2fs", root)
    order = with_dependencies(MODULES, modules)
    for path in order:
        shutil.copy(path, root / "modules" / path.name)
    (root / "modules/order").write_text("".join(f"{p.name}\n" for p in order))
    shutil.copy(HERE / "rootfs/init", root / "init")
    (root / "init").chmod(0o755)
    listing = "\n".join(str(p.relative_to(root)) for p in sorted(root.rglob("*")))
    archive = work / "initrd"
    packed = subprocess.run(["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"], cwd=root, input=listing.encode(),
                            capture_output=True, check=True).stdout
    archive.write_bytes(gzip.compress(packed, 9, mtime=0))
    return archive


def copy_files(root: pathlib.Path) -> None:
    """What every guest has: the files of ``rootfs``, BusyBox and dropbear."""
    shutil.copytree(HERE / "rootfs", root)
    (root / "init").unlink()
    for name in ("proc", "sys", "dev", "tmp", "run", "root/.ssh", "home/cirros/.ssh", "mnt", "var/log", "etc/dropbear",
                 "bin", "usr/bin", "usr/sbin", "sbin", "modules"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "var/run").symlink_to("/run")
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for applet in run("/bin/busybox", "--list-full").split():
        link = root / applet
        if not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to("/bin/busybox")
    for program in ("dropbear", "dropbearkey"):
        copy_program(program, root)
    for name in ("etc/init.d/rcS", "etc/init.d/services", "etc/init.d/console", "etc/init.d/metadata", "etc/udhcpc.script",
                 "etc/acpi/PWRF/00000080", "usr/bin/sudo", "usr/bin/curl"):
        (root / name).chmod(0o755)
    for path in (root / "root", root / "root/.ssh", root / "home/cirros/.ssh"):
        path.chmod(0o700)
    (root / "tmp").chmod(0o1777)


def make_root(work: pathlib.Path, modules: pathlib.Path) -> pathlib.Path:
    """The ext4 partition, created from a directory."""
    root = work / "root"
    copy_files(root)
    # BusyBox has no DHCPv6 client, and neither lists disks nor makes FAT file systems, both of which OpenStack's tests do.
    unpack("dhcpcd-base", work, work / "dhcpcd")
    for program in ("blkid", "lsblk", "mkfs", "mkfs.fat",
                    str(next((work / "dhcpcd").rglob("sbin/dhcpcd")))):
        copy_program(program, root)
    (root / "usr/sbin/mkfs.vfat").symlink_to("mkfs.fat")
    order = with_dependencies(LATE_MODULES, modules)
    for path in order:
        shutil.copy(path, root / "modules" / path.name)
    (root / "modules/order").write_text("".join(f"{p.name}\n" for p in order))
    image = work / "root.ext4"
    run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal,^metadata_csum", "-E", "root_owner=0:0", "-L", "root", "-d",
        root, image, f"{ROOT_MIB}M")
    return image


def make_disk(work: pathlib.Path, kernel: pathlib.Path, initrd: pathlib.Path, root: pathlib.Path) -> pathlib.Path:
    """MBR, a FAT partition with syslinux, and the root partition."""
    fat, disk = work / "boot.fat", work / "disk.raw"
    with open(fat, "wb") as out:
        out.truncate(FAT_MIB * MIB)
    run("mkfs.vfat", "-F", "16", "-n", "BOOT", fat)
    for name, directory in (("syslinux.cfg", ""), ("syslinux.efi.cfg", "/")):
        (work / name).write_text(f"DEFAULT linux\nPROMPT 0\nTIMEOUT 0\nLABEL linux\n KERNEL {directory}vmlinuz\n APPEND "
                                 f"initrd={directory}initrd console=tty0 console=ttyS0 quiet mitigations=off no_timer_check\n")
    run("syslinux", "--install", fat)
    for source, name in ((kernel, "vmlinuz"), (initrd, "initrd"), (work / "syslinux.cfg", "syslinux.cfg")):
        run("mcopy", "-i", fat, source, f"::{name}")
    modules = pathlib.Path("/usr/lib/syslinux/modules/efi64")
    run("mmd", "-i", fat, "::EFI", "::EFI/BOOT")
    for source, name in ((pathlib.Path("/usr/lib/SYSLINUX.EFI/efi64/syslinux.efi"), "BOOTX64.EFI"),
                         (modules / "ldlinux.e64", "ldlinux.e64"), (work / "syslinux.efi.cfg", "syslinux.cfg")):
        run("mcopy", "-i", fat, source, f"::EFI/BOOT/{name}")
    mbr = next(p for p in (pathlib.Path("/usr/lib/SYSLINUX/mbr.bin"), pathlib.Path("/usr/lib/syslinux/mbr/mbr.bin"))
               if p.exists()).read_bytes()
    root_start = (FAT_START + FAT_MIB) * MIB // 512
    table = _entry(0x80, 0x0E, FAT_START * MIB // 512, FAT_MIB * MIB // 512)
    table += _entry(0, 0x83, root_start, ROOT_MIB * MIB // 512)
    with open(disk, "wb") as out:
        out.write(mbr[:440].ljust(446, b"\0") + table.ljust(64, b"\0") + b"\x55\xaa")
        for start, part in ((FAT_START * MIB, fat), (root_start * 512, root)):
            out.seek(start)
            out.write(part.read_bytes())
    return disk


def _entry(flag: int, kind: int, start: int, sectors: int) -> bytes:
    """One entry of an MBR's table; CHS fields say "use LBA"."""
    return struct.pack("<B3sB3sII", flag, b"\xfe\xff\xff", kind, b"\xfe\xff\xff", start, sectors)


def build(target: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory(prefix="pileus-image-") as name:
        work = pathlib.Path(name)
        work.chmod(0o755)  # apt downloads as an unprivileged user
        kernel, modules = fetch_kernel(work)
        initrd = make_initramfs(work, modules)
        disk = make_disk(work, kernel, initrd, make_root(work, modules))
        partial = target.with_suffix(".part")
        run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", disk, partial)
        partial.rename(target)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description="Build the test guest's disk image.")
    parser.add_argument("target", type=pathlib.Path, help="qcow2 file to create")
    build(parser.parse_args(argv).target.absolute())
    return 0


if __name__ == "__main__":
    sys.exit(main())
