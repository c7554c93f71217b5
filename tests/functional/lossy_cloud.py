"""The fake cloud, whose bus loses a message while a guest that was migrated live stands still.

``<state>.lose`` says which, once: "TOPIC request" or "TOPIC answer", of the call ``guest_moved``. ``<state>.still`` then says for
how many seconds the guest stood still.
"""

from deploy import local  # isort: skip  (patches eventlet first)

import pathlib
import sys
import time

from common import errors, rpc
from compute_agent.virt.fake import FakeDriver


def lose(state: str) -> None:
    plan, result = pathlib.Path(f"{state}.lose"), pathlib.Path(f"{state}.still")
    moved_at: list[float] = []

    def lossy_send(client, method, ctx, arguments):
        if method.name != "guest_moved" or not plan.exists():
            return send(client, method, ctx, arguments)
        if client.topic == "compute-agent":
            moved_at.append(time.monotonic())
        topic, part = plan.read_text().split()
        if topic != client.topic:
            return send(client, method, ctx, arguments)
        plan.unlink()
        if part == "answer":
            send(client, method, ctx, arguments)
        time.sleep(arguments["timeout_s"])
        raise errors.ServiceUnavailable(part=topic, internal="a test has lost it")

    def timed_unpause(driver, uuid):
        unpause(driver, uuid)
        if moved_at:
            result.write_text(str(time.monotonic() - moved_at[0]))
            moved_at.clear()
    send, rpc.Client.send = rpc.Client.send, lossy_send  # type: ignore[method-assign]
    unpause, FakeDriver.unpause = FakeDriver.unpause, timed_unpause  # type: ignore[method-assign]


if __name__ == "__main__":
    lose(sys.argv[sys.argv.index("--state") + 1])
    sys.exit(local.main())
