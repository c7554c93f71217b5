"""Images of one format made another when they are imported, by a qemu-img that can do little else.

It has been looked at before that the image names no other file (``common.inspector``); the format is told, not guessed; the
child has no network, no privileges, and limits for memory, CPU time and the size of what it writes. Where the service is
not root, only the limits are left: it has nothing else to give away then.
"""

import contextlib
import os
import pathlib
import subprocess
import time

from common import errors, inspector

# The API's names of formats, and qemu's.
_QEMU = {"raw": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vdi": "vdi", "vhd": "vpc", "vhdx": "vhdx", "ploop": "parallels"}
_MEMORY, _CPU_S, _TICK_S = 2 << 30, 3600, 0.2


def applies(disk_format: str, wanted: str) -> bool:
    """Whether images of a format become another. An ISO is no disk: who boots of it needs it as it is."""
    return bool(wanted) and disk_format != wanted and disk_format in _QEMU


def convert(source: pathlib.Path, disk_format: str, target: pathlib.Path, wanted: str, *, limit: int, beat) -> None:
    """Write ``source`` as ``target``; the target is not there when it fails.

    :param limit: bytes that it may have, and that a guest may see of it
    :param beat: called several times a second while it works
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
            running.callback(child.kill)  # nothing to one that has ended
            _wait(child, beat)
            if child.returncode:
                raise errors.StepFailed(reason=f"The image could not be converted to {wanted}.",
                                        internal=child.stderr.read()[-500:] if child.stderr else None)
        undo.pop_all()


def _wait(child: subprocess.Popen, beat) -> None:
    deadline = time.monotonic() + 2 * _CPU_S
    while child.poll() is None:
        if time.monotonic() > deadline:
            raise errors.StepFailed(reason="The image takes too long to convert.")
        beat()
        time.sleep(_TICK_S)
