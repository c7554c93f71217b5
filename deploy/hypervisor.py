"""libvirt on this host, started such that it never sees a ``/dev/kvm`` that cannot run a guest.

Where the device opens but no guest runs, libvirt finds KVM usable by its
permissions and missing by QEMU's answer, distrusts what it remembers of QEMU,
and probes it again at each start of a guest: 5 to 100 seconds instead of half
a one. Permissions of the device do not help, as that probe may ignore them.
So libvirtd gets a mount namespace of its own, where a node without any
permission and without a driver lies over the device. QEMU inherits that.
Everything else that is mounted on the host, libvirtd sees as before, and it
may be restarted at any time: guests go on.
"""

import os
import pathlib
import signal
import stat

from common.periodic import wait_for
from deploy.host import HostError, run, systemd

DEVICE = "/dev/kvm"
DEVICE_NUMBER = os.makedev(10, 232)  # /dev/kvm's on every Linux
MASK = pathlib.Path("/run/pileus/no-kvm")
UNITS = ("libvirtd", "virtqemud")
DROP_IN = """# Written by Pileus: this host's {device} cannot run guests, and libvirt is slow where it sees it.
[Service]
InaccessiblePaths=-{device}
"""


def kvm_works() -> bool:
    from compute_agent.virt.libvirt import kvm
    return kvm.kvm_works()


def kvm_state() -> str:
    """"kvm", or why guests are emulated."""
    if kvm_works():
        return "kvm"
    return "no KVM on this host (its CPU shows no virtualisation), so guests are emulated by QEMU: slower, the same otherwise"


def answers() -> bool:
    return run("virsh", "-c", "qemu:///system", "list", check=False).returncode == 0


def pids(name: str) -> list[int]:
    """Processes of this name in our own process namespace's network; a host of the lab has its own."""
    own = os.readlink("/proc/self/ns/net")
    found = []
    for pid in map(int, run("pgrep", "-x", name, check=False).stdout.split()):
        try:
            if os.readlink(f"/proc/{pid}/ns/net") == own:
                found.append(pid)
        except OSError:  # it ended meanwhile
            continue
    return found


def sees_kvm(pid: int) -> bool:
    """Whether a process has the real device before it."""
    try:
        found = os.stat(f"/proc/{pid}/root{DEVICE}")
    except OSError:
        return False
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == DEVICE_NUMBER


def ensure_libvirt() -> None:
    """A libvirtd that answers and does not see a useless ``/dev/kvm``; one that sees it is started again.

    :raises HostError: it could not be kept from seeing it
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
    # Not with a daemon's umask of ours: QEMU's user goes through libvirt's directories.
    os.makedirs("/run/libvirt", exist_ok=True)
    os.chmod("/run/libvirt", 0o755)
    if not pids("virtlogd"):
        run("virtlogd", "-d", umask=0o022)
    if not pids("libvirtd"):
        run(*_masked("libvirtd", "-d") if mask else ("libvirtd", "-d"), umask=0o022)


def _masked(*words: str) -> tuple[str, ...]:
    """The command in a mount namespace that differs from the host's in the device alone.

    What the host mounts later appears there too ("slave"); what is mounted there does not appear on the host.
    """
    if not MASK.exists():
        MASK.parent.mkdir(exist_ok=True)
        os.mknod(MASK, stat.S_IFCHR, 0)
    return ("unshare", "--mount", "--propagation", "slave", "sh", "-c", f'mount --bind "$0" {DEVICE} && exec "$@"',
            str(MASK), *words)


def stop(name: str, timeout_s: float = 10) -> None:
    """End a daemon of libvirt; guests go on."""
    for sig in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids(name):
            os.kill(pid, sig)
        try:
            wait_for(lambda: not pids(name), timeout_s, what=f"{name} to end")
            return
        except TimeoutError:
            continue


def stop_started() -> None:
    """Stop libvirtd and virtlogd where no systemd keeps them; where it does, take our drop-in away."""
    if systemd():
        if any(_drop_in(unit).exists() for unit in UNITS):
            for unit in UNITS:
                _drop_in(unit).unlink(missing_ok=True)
            run("systemctl", "daemon-reload")
        return
    for name in ("libvirtd", "virtlogd"):
        stop(name)
    MASK.unlink(missing_ok=True)
