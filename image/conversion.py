"""Conversion of imported images to another format, by a sandboxed qemu-img.

``common.inspector`` has verified before that the image refers to no other file, and the format is passed explicitly.
The child process has no network, no privileges, and limits on memory, CPU time and file size. If the service does not
run as root, only the limits apply: it has no other privileges to drop.
"""

import contextlib
import os
import pathlib
import subprocess
import time

from common import errors, inspector

# The names of formats in the API, and qemu's.
_QEMU = {"raw": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vdi": "vdi", "vhd": "vpc", "vhdx": "vhdx", "ploop": "parallels"}
_MEMORY, _CPU_S, _TICK_S = 2 << 30, 3600, 0.2


def applies(disk_format: str, wanted: str) -> bool:
    """Whether images of a format are converted. An ISO image is a boot medium, and is needed in its own format."""
    return bool(wanted) and disk_format != wanted and disk_format in _QEMU


def convert(source: pathlib.Path, disk_format: str, target: pathlib.Path, wanted: str, *, limit: int, beat) -> None:
    """Write ``source`` as ``target``; on failure there is no target.

    :param limit: maximum bytes of the file, and of the guest's disk
    :param beat: called several times a second meanwhile
    :raises StepFailed: it cannot be converted, or is too large
    """
    header = inspector.check(source, disk_format)
    if header.virtual_bytes > limit:
        raise errors.StepFailed(reason=f"The image's disk is larger than {limit} bytes.")
    words = ["prlimit", f"--as={_MEMORY}", f"--cpu={_CPU_S}", f"--fsize={limit + (limit >> 6)}", "--core=0", "--",
             "qemu-img", "convert", "-f", _QEMU[disk_format], "-O", _QEMU[wanted], str(source), str(target)]
    if os.geteuid() == 0:
        words = ["unshare", "--net", "--ipc", "--", "setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all",
                 "--", *words]
    with contextlib.ExitStack() as undo:
        undo.callback(target.unlink, missing_ok=True)
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True) as child, contextlib.ExitStack() as running:
            running.callback(child.kill)  # no effect if it has ended
            _wait(child, beat)
            if child.returncode:
                raise errors.StepFailed(reason=f"The image could not be converted to {wanted}.",
                                        internal=child.stderr.read()[-500:] if child.stderr else None)
        undo.pop_all()


def _wait(child: subprocess.Popen, beat) -> None:
    deadline = time.monotonic() + 2 * _CPU_S
    while child.poll() is None:
        if time.monotonic() > deadline:
            raise errors.StepFailed(reason="The conversion of the image took too long.")
        beat()
        time.sleep(_TICK_S)
