"""The compute agent's RPC methods. Only a few long calls keep a thread; all other work is queued.

Work on servers goes to the agent's workers, and the RPC thread takes the next message. Calls that take long keep an RPC thread;
their number is limited, so that enough threads are left.
"""

import contextlib
import functools
import threading

from common import errors
from common.shares import Shares
from compute_agent import inventory, live, migration
from compute_agent.messages import PasswordResult
from compute_agent.operations import Operations

LONG_CALLS = 8
# Separate lanes, so that deletes do not wait for image transfers or for guests that shut down slowly.
BUILD, IMAGE, CACHE, DELETE, OTHER = "build", "image", "cache", "delete", "other"
WITH_IMAGES = ("rebuild", "rescue")


class Manager:
    def __init__(self, agent):
        self.agent, self.operations = agent, Operations(agent)
        self._long_calls, self._guard = Shares(LONG_CALLS, kept=LONG_CALLS // 4), threading.Lock()

    def _later(self, ctx, uuid: str, method: str, *arguments, lane: str = OTHER, first: bool = False) -> None:
        work = functools.partial(getattr(self.operations, method), ctx, uuid, *arguments)
        self.agent.workers.put(ctx, uuid, (method, *arguments), work, lane=lane, first=first)

    def build(self, ctx, uuid: str) -> None:
        self._later(ctx, uuid, "build", lane=BUILD)

    def delete(self, ctx, uuid: str) -> None:
        """Other work on the server stops at its next step."""
        self._later(ctx, uuid, "delete", lane=DELETE, first=True)

    def power(self, ctx, uuid: str, action: str) -> None:
        self._later(ctx, uuid, "power", action, lane=IMAGE if action in WITH_IMAGES else OTHER)

    def snapshot(self, ctx, uuid: str, image_id: str) -> None:
        self._later(ctx, uuid, "snapshot", image_id, lane=IMAGE)

    def attach_volume(self, ctx, uuid: str, volume_id: str, device: str | None = None) -> None:
        self._later(ctx, uuid, "attach_volume", volume_id, device)

    def detach_volume(self, ctx, uuid: str, volume_id: str, device: str | None = None) -> None:
        self._later(ctx, uuid, "detach_volume", volume_id, device)

    def extend_volume(self, ctx, uuid: str, volume_id: str) -> None:
        self._later(ctx, uuid, "extend_volume", volume_id)

    def detach_interface(self, ctx, uuid: str, port_id: str, attach_id: str | None = None) -> None:
        self._later(ctx, uuid, "detach_interface", port_id, attach_id)

    def operation_step(self, ctx, uuid: str, operation_id: str, number: int, told: dict | None = None) -> None:
        step = functools.partial(self.operations.operation_step, ctx, uuid, operation_id, number, told)
        self.agent.workers.put(ctx, uuid, ("operation_step", operation_id, number), step, lane=OTHER)

    def offer_disks(self, ctx, uuid: str, operation_id: str, number: int) -> dict:
        return migration.offer_disks(self.agent, ctx, uuid, operation_id, number)

    def cache_images(self, ctx, images: list[dict]) -> None:
        for image in images:
            work = functools.partial(self.operations.cache_image, ctx, image)
            self.agent.workers.put(ctx, image["id"], ("cache_image",), work, lane=CACHE)

    def open_migration(self, ctx, uuid: str, operation_id: str, number: int) -> dict:
        return live.open_migration(self.agent, ctx, uuid, operation_id, number)

    def guest_arrived(self, ctx, uuid: str, operation_id: str, number: int) -> bool:
        return live.arrived(self.agent, ctx, uuid, operation_id, number)

    def guest_expected(self, ctx, uuid: str, operation_id: str, number: int, result: dict, incoming: dict) -> None:
        work = functools.partial(self.operations.guest_expected, ctx, uuid, operation_id, number, result, incoming)
        self.agent.workers.put(ctx, uuid, ("guest_expected", operation_id, number), work, lane=OTHER)

    def guest_moved(self, ctx, uuid: str, operation_id: str, number: int) -> bool:
        here, work = live.moved(self.agent, ctx, uuid, operation_id, number)
        if work:
            self.operation_step(ctx, uuid, operation_id, work["number"], work)
        return here

    @contextlib.contextmanager
    def _long_call(self, ctx):
        """:raises ServiceUnavailable: the limit of concurrent long calls is reached"""
        with self._guard:
            if not self._long_calls.take(ctx.project_id):
                raise errors.ServiceUnavailable(part=f"the compute agent on {self.agent.conf.host}, which is busy")
        try:
            yield
        finally:
            with self._guard:
                self._long_calls.give_back(ctx.project_id)

    def attach_interface(self, ctx, uuid: str, request: dict) -> dict:
        with self._long_call(ctx):
            return self.operations.attach_interface(ctx, uuid, request)

    def reconcile(self, ctx) -> None:
        with self._long_call(ctx):
            self.agent.orphans.run_once()

    def report_all(self, ctx) -> None:
        self.agent.heartbeat.report_all()

    def inventory(self, ctx) -> dict:
        return inventory.of(self.agent.driver, self.agent.tasks.journal)

    def uptime(self, ctx) -> str:
        return inventory.uptime()

    def console_output(self, ctx, uuid: str, lines: int | None) -> str:
        text = self.agent.driver.console_output(uuid).decode("utf-8", "replace")
        if lines is None:
            return text
        return "\n".join(text.split("\n")[-lines:]) if lines else ""

    def diagnostics(self, ctx, uuid: str) -> dict | None:
        return self.agent.driver.diagnostics(uuid)

    def placement(self, ctx, uuid: str) -> dict | None:
        return self.agent.driver.placement(uuid)

    def set_password(self, ctx, uuid: str, user: str, password: str) -> PasswordResult:
        with self._long_call(ctx):
            return self.operations.set_password(ctx, uuid, user, password)

    def trigger_crash_dump(self, ctx, uuid: str) -> None:
        self._later(ctx, uuid, "trigger_crash_dump")

    def open_console(self, ctx, uuid: str, kind: str) -> dict:
        return self.agent.consoles.open(uuid, kind)
