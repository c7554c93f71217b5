"""Live migration of simulated guests: what is sent for memory is the guest's description."""

import json
import socket
import threading
import time
from collections.abc import Callable

from common import errors
from compute_agent.live import ABORT, FORCE
from compute_agent.tunnel import Tunnel

MEMORY_BYTES = 1 << 20
_DONE = b"done\n"
LOOK_S = 0.05


def receiver(write: Callable[[dict], object]) -> socket.socket:
    """The target's end of the channel. ``write`` is called with the guest, once all of it has arrived."""
    outer, inner = socket.socketpair()

    def receive() -> None:
        with inner, inner.makefile("rb") as stream:
            line = stream.readline()
            if line.endswith(b"\n"):
                write(json.loads(line))
                inner.sendall(_DONE)
    threading.Thread(target=receive, daemon=True, name="fake-migration").start()
    return outer


def send(guest: dict, tunnel: Tunnel, watch: Callable[[dict], str | None], *, pause: Callable[[], object],
         is_held: Callable[[], bool]) -> None:
    """As ``VirtDriver.migrate``. Half of the memory is copied while it is held."""
    try:
        with tunnel.connect("memory") as channel, channel.makefile("rb") as answers:
            while True:
                sent = MEMORY_BYTES // 2 if is_held() else MEMORY_BYTES
                wanted = watch({"memory_total": MEMORY_BYTES, "memory_processed": sent, "memory_remaining": MEMORY_BYTES - sent,
                                "disk_total": 0, "disk_processed": 0, "disk_remaining": 0})
                if wanted == ABORT:
                    raise errors.StepFailed(reason="The guest could not be migrated.")
                if wanted == FORCE:
                    pause()
                if sent == MEMORY_BYTES or wanted == FORCE:
                    break
                time.sleep(LOOK_S)
            channel.sendall(json.dumps(guest).encode() + b"\n")
            if answers.readline() != _DONE:
                raise errors.StepFailed(reason="The guest could not be migrated.", internal="the target did not confirm")
    except OSError as error:
        raise errors.StepFailed(reason="The guest could not be migrated.", internal=str(error)) from error
