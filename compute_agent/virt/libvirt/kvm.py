"""Tests whether KVM really runs guests on this host. As a program, its exit status is the result.

The existence of ``/dev/kvm`` proves nothing: on some virtual machines a VM and a vCPU can be created, but no guest gets beyond
its firmware. So the CPU must support virtualisation, and a vCPU must execute three instructions.
"""

import ctypes
import fcntl
import mmap
import os
import pathlib
import re
import struct
import subprocess
import sys

DEVICE = "/dev/kvm"
CPUINFO = pathlib.Path("/proc/cpuinfo")
TRIAL_S = 5

# From linux/kvm.h, for x86-64.
CREATE_VM, GET_VCPU_MMAP_SIZE, CREATE_VCPU, RUN = 0xAE01, 0xAE04, 0xAE41, 0xAE80
SET_USER_MEMORY_REGION, SET_REGS, GET_SREGS, SET_SREGS = 0x4020AE46, 0x4090AE82, 0x8138AE83, 0x4138AE84
EXIT_IO, EXIT_REASON_OFFSET, IO_DATA_OFFSET_AT = 2, 8, 40
CODE = b"\xb0\x5a\xe6\x10\xf4"  # mov $0x5a, %al; out %al, $0x10; hlt
CODE_AT = 0x1000


def kvm_works() -> bool:
    """Whether KVM can run a guest on this host."""
    return _cpu_has_virtualisation() and os.path.exists(DEVICE) and _trial()


def _cpu_has_virtualisation() -> bool:
    return bool(re.search(r"^flags.*\b(vmx|svm)\b", CPUINFO.read_text(), re.M))


def _trial() -> bool:
    """In a separate process: a broken KVM may hang."""
    try:
        return subprocess.run([sys.executable, "-S", __file__], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=TRIAL_S).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def run_guest() -> bool:
    """Run CODE on a vCPU in real mode; True when it wrote its byte to the port.

    :raises OSError: the device or one of its calls failed
    """
    kvm = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    vm = fcntl.ioctl(kvm, CREATE_VM, 0)
    memory = mmap.mmap(-1, 0x2000)
    memory[CODE_AT:CODE_AT + len(CODE)] = CODE
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    # slot, flags, guest physical address, size, host address
    fcntl.ioctl(vm, SET_USER_MEMORY_REGION, struct.pack("=IIQQQ", 0, 0, 0, len(memory), address))
    vcpu = fcntl.ioctl(vm, CREATE_VCPU, 0)
    run = mmap.mmap(vcpu, fcntl.ioctl(kvm, GET_VCPU_MMAP_SIZE, 0))
    sregs = bytearray(312)
    fcntl.ioctl(vcpu, GET_SREGS, sregs)
    struct.pack_into("=QIH", sregs, 0, 0, 0xFFFF, 0)  # the code segment begins at address 0: base, limit, selector
    fcntl.ioctl(vcpu, SET_SREGS, bytes(sregs))
    # 16 general registers, then rip and rflags, whose bit 1 is always set
    fcntl.ioctl(vcpu, SET_REGS, struct.pack("=18Q", *[0] * 16, CODE_AT, 2))
    fcntl.ioctl(vcpu, RUN, 0)
    reason = struct.unpack_from("=I", run, EXIT_REASON_OFFSET)[0]
    data_at = struct.unpack_from("=Q", run, IO_DATA_OFFSET_AT)[0]
    return reason == EXIT_IO and run[data_at] == 0x5A


if __name__ == "__main__":
    sys.exit(0 if run_guest() else 1)
