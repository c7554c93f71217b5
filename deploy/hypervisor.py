"""libvirt on this host, started so that it does not see a ``/dev/kvm`` that cannot run a guest.

If the device can be opened but runs no guest, libvirt considers KVM usable by its permissions, but QEMU reports that
it is not. libvirt then discards its cached capabilities of QEMU, and probes it at each start of a guest, which takes
5 to 100 seconds instead of half a second. Changing the permissions of the device does not help, because the probe may
ignore them. Therefore libvirtd gets a mount namespace in which a node without permissions or driver covers the
device. QEMU inherits that. libvirtd sees all other mounts of the host, and it can be restarted at any time without an
effect on guests.
"""

import os
import pathlib
import signal
import stat

from common.periodic import wait_for
from deploy.host import HostError, run, systemd

DEVICE = "/dev/kvm"
DEVICE_NUMBER = os.makedev(10, 232)  # the device number of /dev/kvm on Linux
MASK = pathlib.Path("/run/pileus/no-kvm")
LXC = pathlib.Path("/usr/lib/libvirt/libvirt_lxc")
UNITS = ("libvirtd", "virtqemud")
DROP_IN = """# Written by Pileus: this host's {device} cannot run guests, and libvirt is slow where it sees it.
[Service]
InaccessiblePaths=-{device}
"""


def kvm_works() -> bool:
    from compute_agent.virt.libvirt import kvm
    return kvm.kvm_works()


def kvm_state() -> str:
    """"kvm", or the reason why guests are emulated."""
    if kvm_works():
        return "kvm"
    return "no KVM on this host (its CPU shows no virtualisation), so guests are emulated by QEMU, which is slower"


def state_of(virt_type: str) -> str:
    """What runs the guests of this host.

    :param virt_type: the option of the compute agent
    :raises HostError: it cannot
    """
    if virt_type != "lxc":
        return kvm_state()
    if not LXC.exists():
        raise HostError("libvirt has no driver of containers on this host: install libvirt-daemon-driver-lxc, restart libvirtd.")
    return "LXC, as containers"


def answers() -> bool:
    return run("virsh", "-c", "qemu:///system", "list", check=False).returncode == 0


def pids(name: str) -> list[int]:
    """Processes with this name in this network namespace; each host of the lab has its own."""
    own = os.readlink("/proc/self/ns/net")
    found = []
    for pid in map(int, run("pgrep", "-x", name, check=False).stdout.split()):
        try:
            if os.readlink(f"/proc/{pid}/ns/net") == own:
                found.append(pid)
        except OSError:  # it has just ended
            continue
    return found


def sees_kvm(pid: int) -> bool:
    """Whether a process sees the real device."""
    try:
        found = os.stat(f"/proc/{pid}/root{DEVICE}")
    except OSError:
        return False
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == DEVICE_NUMBER


def ensure_libvirt() -> None:
    """Ensure a running libvirtd that does not see a useless ``/dev/kvm``; otherwise it is restarted.

    :raises HostError: it still sees it
    """
    mask = os.path.exists(DEVICE) and not kvm_works()
    if systemd():
        _by_systemd(mask)
    else:
        _by_hand(mask)
    wait_for(answers, 30, what="libvirtd")
    if mask and any(sees_kvm(pid) for unit in UNITS for pid in pids(unit)):
        raise HostError(f"libvirtd still sees {DEVICE}, which cannot run guests here: each start of a guest would take a "
                        f"minute or more. Stop libvirtd, then run this again.")


def _by_systemd(mask: bool) -> None:
    changed = False
    for unit in UNITS:
        path = _drop_in(unit)
        text = DROP_IN.format(device=DEVICE) if mask else None
        if (path.read_text() if path.exists() else None) == text:
            continue
        changed = True
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if changed:
        run("systemctl", "daemon-reload")
    for unit in UNITS:
        if any(sees_kvm(pid) == mask for pid in pids(unit)) and os.path.exists(DEVICE):
            run("systemctl", "restart", unit)
    if not answers():
        run("systemctl", "start", "libvirtd")


def _drop_in(unit: str) -> pathlib.Path:
    return pathlib.Path(f"/etc/systemd/system/{unit}.service.d/pileus-kvm.conf")


def _by_hand(mask: bool) -> None:
    if mask and any(sees_kvm(pid) for pid in pids("libvirtd")):
        stop("libvirtd")
    # Without this daemon's umask: QEMU's user must be able to enter libvirt's directories.
    os.makedirs("/run/libvirt", exist_ok=True)
    os.chmod("/run/libvirt", 0o755)
    if not pids("virtlogd"):
        run("virtlogd", "-d", umask=0o022)
    if not pids("libvirtd"):
        run(*_masked("libvirtd", "-d") if mask else ("libvirtd", "-d"), umask=0o022)


def _masked(*words: str) -> tuple[str, ...]:
    """The command in a mount namespace that differs from the host's only in the device.

    Later mounts of the host appear in it ("slave"); its own mounts do not appear on the host.
    """
    if not MASK.exists():
        MASK.parent.mkdir(exist_ok=True)
        os.mknod(MASK, stat.S_IFCHR, 0)
    return ("unshare", "--mount", "--propagation", "slave", "sh", "-c", f'mount --bind "$0" {DEVICE} && exec "$@"',
            str(MASK), *words)


def stop(name: str, timeout_s: float = 10) -> None:
    """End a daemon of libvirt; guests continue to run."""
    for sig in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids(name):
            os.kill(pid, sig)
        try:
            wait_for(lambda: not pids(name), timeout_s, what=f"{name} to end")
            return
        except TimeoutError:
            continue


def stop_started() -> None:
    """Stop libvirtd and virtlogd if they were started without systemd; with systemd, remove the drop-in file."""
    if systemd():
        if any(_drop_in(unit).exists() for unit in UNITS):
            for unit in UNITS:
                _drop_in(unit).unlink(missing_ok=True)
            run("systemctl", "daemon-reload")
        return
    for name in ("libvirtd", "virtlogd"):
        stop(name)
    MASK.unlink(missing_ok=True)
