"""Operations on servers. Each method locks the server, runs a task and reports; it may take long."""

import contextlib
import logging

from common import errors, images, server_resources
from common.rest import path
from common.server_states import (
    DELETING,
    IMAGE_TASKS,
    OPERATION_TASKS,
    PAUSED,
    POWER,
    RUNNING,
    STOPPED,
    TAKEN_OVER_TASKS,
)
from compute_agent.last_step import LastStep
from compute_agent.messages import PasswordResult
from compute_agent.migration import HostSteps
from compute_agent.tasks.attach import Attach
from compute_agent.tasks.boot import Boot
from compute_agent.tasks.delete import Delete
from compute_agent.tasks.detach import Detach
from compute_agent.tasks.extend_volume import ExtendVolume
from compute_agent.tasks.interfaces import AttachInterface, DetachInterface
from compute_agent.tasks.reporting import ReportingTask, reason
from compute_agent.tasks.snapshot import Snapshot
from compute_agent.tasks.snapshot_volumes import SnapshotVolumes
from compute_agent.tasks.volume_keys import key_of_volume
from conductor.messages import Outcome

LOG = logging.getLogger(__name__)
SHUTDOWN_S, REBOOT_S = 60.0, 60.0
WITH_PASSWORDS = ("rebuild", "rescue")  # whose config drives have one
PASSWORD_TURN_S = 2.0  # until the server has nothing else in progress


def _device(instance: dict | None, volume_id: str, device_id: str | None = None) -> dict | None:
    """A server's device for a volume; where ``device_id`` says which was meant, no other that the volume has by now."""
    return next((d for d in (instance or {}).get("block_devices", []) if d["volume_id"] == volume_id and
                 device_id in (None, d["id"])), None)


def _check_stays(instance: dict, host: str, action: str) -> None:
    """A server's ports are not changed any more once it began to move: its other host may have read them.

    :raises Conflict: it began to move, or has moved, since this was asked for
    """
    if instance["host"] != host:
        raise errors.Conflict(f"Instance {instance['uuid']} has moved to another host. Try again.")
    if instance["task_state"] in OPERATION_TASKS:
        raise errors.InvalidState(action=action, resource="instance", id=instance["uuid"], attr="task_state",
                                  state=instance["task_state"])


class Operations:
    def __init__(self, agent):
        self.agent = agent

    def _is_here(self, instance: dict) -> bool:
        """Whether a server is on this host, and no other host takes it over. A message may be so late that the other one has been
        asked since, or will be."""
        here = instance["host"] == self.agent.conf.host and instance["task_state"] not in TAKEN_OVER_TASKS
        if not here:
            LOG.info("a request comes late: instance %s is on host %s, %s", instance["uuid"], instance["host"],
                     instance["task_state"])
        return here

    def _run(self, task, key: str, state: dict, failed: str, *about: str) -> None:
        """:param failed: the log message if the task fails, with ``about`` as its arguments"""
        try:
            self.agent.tasks.run(task, key, state)
        except Exception as error:  # the task has journalled, undone and reported the failure
            LOG.warning(failed + ": %s", *about, error)

    def build(self, ctx, uuid: str) -> None:
        agent = self.agent
        with agent.recovered_lock(uuid):
            instance = agent.conductor.begin_build(ctx, uuid, agent.conf.host)
            if instance is None:
                return
            if not agent.tasks.leftover(Boot.name, uuid) and agent.driver.power_states().get(uuid) is not None:
                self._built(ctx, instance)
                return
            # A build that began without leaving a journal may have left anything.
            begun = instance["begun_before"]
            self._run(Boot(agent), uuid, {"instance": instance, "network_tried": begun, "volumes_tried": begun},
                      "instance %s was not built", uuid)

    def _built(self, ctx, instance: dict) -> None:
        """The guest exists, but the journal was lost before that was reported."""
        agent, wanted = self.agent, instance["requested_networks"]

        def check():
            row = agent.conductor.get_instance(ctx, instance["uuid"])
            if row is None or row["attempt"] != instance["attempt"]:
                raise errors.Superseded()
        ports = agent.ports.network_info(agent.ports.build(instance, wanted, again=True, check=check), wanted)
        for device in instance["block_devices"]:
            agent.volumes.complete(device["attachment_id"])
        agent.conductor.finish(ctx, instance["uuid"], "spawn", [], {"power_state": RUNNING, "network_info": ports},
                               attempt=instance["attempt"])

    def cache_image(self, ctx, image: dict) -> None:
        """Fetch an image that servers may need, as the user who asks for it."""
        if not self.agent.driver.needs_image:
            return
        try:
            self.agent.images.ensure(image, ctx.project_id)
        except (errors.StepFailed, errors.ServiceUnavailable) as error:  # a build that needs it tries again
            LOG.warning("image %s was not cached: %s", image["id"], error)

    def delete(self, ctx, uuid: str) -> None:
        agent = self.agent
        with agent.lock(uuid):
            agent.last_steps.pop(uuid, None)
            try:
                instance = agent.conductor.get_instance(ctx, uuid)
                if instance and instance["task_state"] == DELETING and instance["host"] == agent.conf.host:
                    agent.tasks.run(Delete(agent), uuid, {"instance": instance})
            except Exception as error:  # the reconciler sends it again
                LOG.warning("instance %s could not be deleted yet: %s", uuid, error)

    def power(self, ctx, uuid: str, action: str) -> None:
        """Start, stop, pause and so on. Checks the row's task_state first, so that a repeated message does nothing."""
        agent = self.agent
        report = ReportingTask(agent)
        report.name = action.replace("-", "_")
        with agent.recovered_lock(uuid):
            instance = agent.conductor.get_instance(ctx, uuid)
            if instance is None or instance["task_state"] != POWER[action] or not self._is_here(instance):
                return
            report.started("guest", {})
            try:
                self._power(instance, action)
            except Exception as error:  # boundary of the operation: the failure is reported
                LOG.warning("instance %s: %s failed", uuid, action, exc_info=not isinstance(error, errors.Error))
                agent.conductor.fail(ctx, uuid, agent.conf.host, action, reason(error), report.take_events(error), False,
                                     attempt=instance["attempt"])
                return
            state = agent.driver.power_states().get(uuid, 0)
            values: Outcome = {"power_state": state}
            if action in WITH_PASSWORDS and agent.takes_password(instance):
                values["password_used"] = True
            agent.conductor.finish(ctx, uuid, action, report.take_events(), values,
                                   attempt=instance["attempt"])

    def _power(self, instance: dict, action: str) -> None:
        driver, uuid = self.agent.driver, instance["uuid"]

        def is_cancelled() -> bool:
            return self.agent.cancelled(uuid)
        if action in ("start", "restore") and uuid not in driver.power_states():
            self.agent.restore_guest(instance)
        elif action in ("start", "resume", "restore"):
            self.agent.refresh_volumes(instance)
            self.agent.plugged(instance)
            driver.power_on(uuid)
        elif action == "rebuild":
            self._rebuild(instance, is_cancelled)
        elif action == "rescue":
            files = self.agent.image_files({**instance, "image_meta": instance["rescue_image"]})
            driver.destroy(uuid)
            driver.begin_rescue(instance, files, self.agent.injection(instance))
            self.agent.rebuild_guest(self.agent.as_rescued(instance), first_boot=True)
        elif action in ("pause", "unpause", "suspend"):
            getattr(driver, action)(uuid)
        elif action == "soft-delete":
            self._put_off(uuid, is_cancelled)
        elif action == "stop":
            driver.power_off(uuid, timeout_s=SHUTDOWN_S, is_cancelled=is_cancelled)
            self.agent.replug(instance)
        elif action == "reboot":
            # A guest without ACPI would not be soft-rebooted; stopping and starting it works for most.
            with contextlib.suppress(errors.ServiceUnavailable):
                self.agent.refresh_volumes(instance)
            driver.reboot(uuid, timeout_s=REBOOT_S, is_cancelled=is_cancelled)
        else:  # a hard reboot, and the end of a rescue; the guest runs until all that it needs is there
            driver.end_rescue(uuid)
            self.agent.rebuild_guest(instance)

    def _put_off(self, uuid: str, is_cancelled) -> None:
        """Stop a guest, if there is one. What a suspended one has in memory stays saved."""
        power = self.agent.driver.power_states().get(uuid)
        if power == PAUSED:
            self.agent.driver.unpause(uuid)
        if power is not None:
            self.agent.driver.power_off(uuid, timeout_s=SHUTDOWN_S, is_cancelled=is_cancelled)

    def _rebuild(self, instance: dict, is_cancelled) -> None:
        """A new disk of the image that the row names now. Repeatable; the old disk goes when the image is here, and only if the
        host has the hardware that the image asks for."""
        uuid, driver = instance["uuid"], self.agent.driver
        driver.check_hardware(instance)
        files = self.agent.image_files(instance)
        driver.destroy(uuid)
        driver.remove_files(uuid)
        driver.prepare_disk(instance, files, self.agent.injection(instance))
        self.agent.rebuild_guest(instance, first_boot=True)
        if instance["vm_state"] == STOPPED:
            driver.power_off(uuid, timeout_s=0, is_cancelled=is_cancelled)

    def operation_step(self, ctx, uuid: str, operation_id: str, number: int, told: dict | None = None) -> None:
        """A step of an operation that involves several hosts. A superseded step reports nothing.

        :param told: the step, as the conductor told it with its request, which may be late
        """
        agent = self.agent
        with agent.recovered_lock(uuid) as last:
            steps = HostSteps(agent, ctx, operation_id, last)
            work = told
            if work is None or not steps.may_begin(number, work):
                work = agent.conductor.begin_operation_step(ctx, operation_id, number)
            self._do(steps, number, work)

    def guest_expected(self, ctx, uuid: str, operation_id: str, number: int, result: dict, incoming: dict) -> None:
        """As ``AgentAPI.guest_expected``. Whoever is not answered leaves both steps to the conductor, which requests them."""
        agent = self.agent
        with agent.recovered_lock(uuid) as last:
            try:
                work = agent.conductor.guest_expected(ctx, operation_id, number, agent.conf.host, result)
            except errors.ServiceUnavailable as error:
                LOG.info("instance %s: its target's step was not reported: %s", uuid, error.internal or error)
                return
            if work is not None:
                self._do(HostSteps(agent, ctx, operation_id, last, incoming), work["number"], work)

    def _do(self, steps: HostSteps, number: int, work: dict | None) -> None:
        """Execute a step and report it, and those that this host is to execute next."""
        while work is not None:
            steps.begin(number, work)
            report = self._step(steps, work)
            if report is None:
                return
            work = self._report(steps.ctx, steps.operation_id, number, report, go_on=work["goes_on"] and "error" not in report)
            number = work["number"] if work else number

    def _report(self, ctx, operation_id: str, number: int, report: dict, *, go_on: bool) -> dict | None:
        """Report a step; returns the next one, if this host may execute it at once (``go_on``)."""
        if go_on:
            with contextlib.suppress(errors.ServiceTooOld):  # another conductor said so, and this one is of the release before
                return self.agent.conductor.next_operation_step(ctx, operation_id, number, report)
        self.agent.conductor.end_operation_step(ctx, operation_id, number, report)
        return None

    def _step(self, steps: HostSteps, work: dict) -> dict | None:
        """The report of a step; None: it is superseded, or another host has reported it."""
        report: dict = {"host": self.agent.conf.host}
        try:
            report["result"] = getattr(steps, work["step"])()
            if steps.is_remembered():
                self.agent.last_steps[work["uuid"]] = LastStep(
                    steps.operation_id, steps.number, work["step"], work["instance"], steps.shared_ports, report["result"])
            if steps.is_reported:
                return None
        except errors.Superseded:
            return None
        except errors.ServiceUnavailable as error:
            report.update(error=str(error), again=True)
        except Exception as error:  # boundary of the step: the failure is reported
            LOG.warning("instance %s: step %s failed: %s", work["uuid"], work["step"], error,
                        exc_info=not isinstance(error, errors.Error))
            report["error"] = reason(error)
        return report

    def set_password(self, ctx, uuid: str, user: str, password: str) -> PasswordResult:
        lock = self.agent.lock(uuid)
        if not lock.acquire(timeout=PASSWORD_TURN_S):  # a guest that keeps this one waiting must not keep others' calls, too
            return "refused"
        try:
            return self.agent.driver.set_password(uuid, user, password)
        finally:
            lock.release()

    def trigger_crash_dump(self, ctx, uuid: str) -> None:
        """Reported as an event only: it changes no state."""
        agent, report = self.agent, ReportingTask(self.agent)
        report.begin("trigger_crash_dump")
        with agent.recovered_lock(uuid):
            failed: Exception | None = None
            try:
                agent.driver.inject_nmi(uuid)
            except errors.Error as error:
                LOG.warning("instance %s could not be interrupted for a crash dump: %s", uuid, error)
                failed = error
            agent.conductor.progress(ctx, uuid, "trigger_crash_dump", report.take_events(failed))

    def snapshot(self, ctx, uuid: str, image_id: str) -> None:
        agent = self.agent
        with agent.recovered_lock(uuid):
            instance = agent.conductor.get_instance(ctx, uuid)
            if instance is None or instance["task_state"] not in IMAGE_TASKS:
                images.drop_unfilled(agent.rest, image_id)  # the server was deleted or its state reset since the request
                return
            if not self._is_here(instance) or not self._waits(image_id):
                return
            task, state = Snapshot(agent), {
                "uuid": uuid, "image_id": image_id, "vm_state": instance["vm_state"], "action": instance["task_state"],
                "attempt": instance["attempt"]}
            if not instance["image_meta"]:
                task = SnapshotVolumes(agent)
                state["devices"] = [d for d in instance["block_devices"] if d["attachment_id"]]
            self._run(task, uuid, state, "image %s of instance %s could not be created", image_id, uuid)

    def _waits(self, image_id: str) -> bool:
        """Whether an image is still waiting for its data. If not, the request is outdated, and the server may be waiting for
        another image."""
        try:
            return self.agent.rest.request("GET", "image", path("/v2/images/{id}", image_id))["status"] == "queued"
        except errors.NotFound:
            return False

    def attach_volume(self, ctx, uuid: str, volume_id: str, device_id: str | None = None) -> None:
        agent = self.agent
        with agent.recovered_lock(uuid):
            instance = agent.conductor.get_instance(ctx, uuid)
            device = _device(instance, volume_id, device_id)
            if device is None or device["attachment_id"] or not self._is_here(instance):
                return
            self._run(Attach(agent), key_of_volume(volume_id, uuid), {
                "uuid": uuid, "volume_id": volume_id, "device": device["id"], "device_name": device["device_name"],
                "tried": True},  # perhaps by a run whose journal was lost
                "volume %s was not attached to %s", volume_id, uuid)

    def detach_volume(self, ctx, uuid: str, volume_id: str, device_id: str | None = None) -> None:
        agent = self.agent
        with agent.recovered_lock(uuid):
            instance = agent.conductor.get_instance(ctx, uuid)
            device = _device(instance, volume_id, device_id)
            if device is None or not self._is_here(instance):
                return
            self._run(Detach(agent), key_of_volume(volume_id, uuid), {
                "uuid": uuid, "volume_id": volume_id, "device": device["id"], "attachment_id": device["attachment_id"]},
                "volume %s was not detached from %s", volume_id, uuid)

    def extend_volume(self, ctx, uuid: str, volume_id: str) -> None:
        agent = self.agent
        with agent.recovered_lock(uuid):
            instance = agent.conductor.get_instance(ctx, uuid)
            device = _device(instance, volume_id)
            if device is None or not device["attachment_id"] or instance["host"] != agent.conf.host:
                LOG.info("volume %s, which was extended, is not attached to instance %s on this host", volume_id, uuid)
                return
            self._run(ExtendVolume(agent), key_of_volume(volume_id, uuid), {
                "uuid": uuid, "volume_id": volume_id, "attachment_id": device["attachment_id"],
                "device_name": device["device_name"]}, "instance %s does not see the new size of volume %s", uuid, volume_id)

    def attach_interface(self, ctx, uuid: str, request: dict) -> dict:
        agent = self.agent
        with agent.recovered_lock(uuid):
            instance = agent.conductor.get_instance(ctx, uuid)
            if instance is None:
                raise errors.NotFound(f"Instance {uuid} could not be found.")
            _check_stays(instance, agent.conf.host, AttachInterface.name)
            if agent.tasks.leftover(AttachInterface.name, uuid):
                raise errors.ServiceUnavailable(part=f"the network of host {agent.conf.host}")
            return agent.tasks.run(AttachInterface(agent), uuid, {"uuid": uuid, "request": request})["port"]

    def detach_interface(self, ctx, uuid: str, port_id: str, attach_id: str | None = None) -> None:
        agent = self.agent
        with agent.recovered_lock(uuid):
            instance = agent.conductor.get_instance(ctx, uuid)
            port = next((p for p in instance["network_info"] if p["id"] == port_id), None) if instance else None
            if port is None or attach_id not in (None, port.get("attach_id", "")):
                LOG.info("port %s is not one of instance %s, or was attached since it was to be detached", port_id, uuid)
                return
            task = DetachInterface(agent)
            try:
                _check_stays(instance, agent.conf.host, task.name)
            except errors.Conflict as error:
                task.started("unplug", {})
                task.failed("unplug", error, {"uuid": uuid})
                return
            self._run(task, port_id, {
                "uuid": uuid, "port": port, "keep": port_id in server_resources.preexisting_ports(instance)},
                "port %s was not detached from %s", port_id, uuid)
