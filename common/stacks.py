"""SIGUSR2: writes the stacks of all threads and green threads to the end of the log.

For a daemon that does not respond: ``kill -USR2 PID``, then read its log. The handler takes no lock, not even that of logging,
since the interrupted code may hold it: it writes to the file directly.
"""

import gc
import os
import signal
import sys
import threading
import traceback
import types


def dump() -> str:
    """The stacks, innermost call last, one block per thread and green thread."""
    names = {t.ident: t.name for t in threading.enumerate()}
    blocks = [(f"thread {names.get(ident, ident)}", frame) for ident, frame in sys._current_frames().items()]
    if "greenlet" in sys.modules:
        from greenlet import greenlet
        blocks += [(f"green thread {id(g):x}", g.gr_frame) for g in gc.get_objects()
                   if isinstance(g, greenlet) and g.gr_frame is not None]
    return "\n".join(f"--- {what}\n{''.join(traceback.format_stack(frame))}" for what, frame in blocks)


def install(log_file: str | None) -> None:
    """Write the stacks to ``log_file``, or to standard error, at each SIGUSR2."""
    def handler(signum: int, frame: types.FrameType | None) -> None:
        fd = os.open(log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640) if log_file else os.dup(2)
        try:
            os.write(fd, f"{dump()}\n".encode())
        finally:
            os.close(fd)
    signal.signal(signal.SIGUSR2, handler)
