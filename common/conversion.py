"""Conversion of disks and images to another format, by a sandboxed qemu-img.

The caller has made sure that the source refers to no other file (``common.inspector``; raw ones cannot), and the format is passed
explicitly. The child process has no network, no privileges, and limits on memory, CPU time and file size. If the service does not
run as root, only the limits apply: it has no other privileges to drop.
"""

import contextlib
import os
import pathlib
import subprocess
import time

from common import errors

# The names of formats in the API, and qemu's.
FORMATS = {"raw": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vdi": "vdi", "vhd": "vpc", "vhdx": "vhdx", "ploop": "parallels"}
# Without this the size is rounded up to a geometry of old, and the disk does not fit where it came from.
_OPTIONS = {"vhd": ["-o", "force_size=on"]}
CPU_S = 3600
_MEMORY, _TICK_S = 2 << 30, 0.2


def convert(source: pathlib.Path, disk_format: str, target: pathlib.Path, wanted: str, *, limit: int, beat,
            cpu_s: int = CPU_S) -> None:
    """Write ``source`` as ``target``; on failure there is no target.

    :param limit: maximum bytes of the file
    :param beat: called several times a second meanwhile; what it raises ends the conversion
    :raises StepFailed: it cannot be converted, or is too large
    """
    words = ["prlimit", f"--as={_MEMORY}", f"--cpu={cpu_s}", f"--fsize={limit + (limit >> 6)}", "--core=0", "--",
             "qemu-img", "convert", "-f", FORMATS[disk_format], "-O", FORMATS[wanted], *_OPTIONS.get(wanted, []),
             str(source), str(target)]
    if os.geteuid() == 0:
        words = ["unshare", "--net", "--ipc", "--", "setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all",
                 "--", *words]
    with contextlib.ExitStack() as undo:
        undo.callback(target.unlink, missing_ok=True)
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True) as child, contextlib.ExitStack() as running:
            running.callback(child.kill)  # no effect if it has ended
            _wait(child, beat, 2 * cpu_s)
            if child.returncode:
                raise errors.StepFailed(reason=f"The image could not be converted to {wanted}.",
                                        internal=child.stderr.read()[-500:] if child.stderr else None)
        undo.pop_all()


def _wait(child: subprocess.Popen, beat, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while child.poll() is None:
        if time.monotonic() > deadline:
            raise errors.StepFailed(reason="The conversion of the image took too long.")
        beat()
        time.sleep(_TICK_S)
