"""Requests to running guests: diagnostics, a new password, a crash dump."""

import base64

from cryptography import exceptions
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from common import errors, guest_hardware, guest_needs
from common.calls import Call
from common.server_states import ACTIVE, ERROR, RESCUED, RESIZED, RUNNING, VM_PAUSED
from compute_api import access
from compute_api.services import servers
from conductor.db import actions, instances

_POWER_NAMES = {0: "pending", 1: "running", 3: "paused", 4: "shutdown", 6: "crashed", 7: "suspended"}
_DUMPING = frozenset((ACTIVE, VM_PAUSED, RESCUED, RESIZED, ERROR))


def _check_host(row: dict) -> None:
    if row["host"] is None:
        raise errors.Conflict(f"Instance {row['uuid']} is not ready")


def diagnostics(call: Call, id: str) -> tuple[dict, dict]:
    """(the server, ``compute_agent.messages.Diagnostics``)

    :raises Conflict: the guest does not run
    """
    row = servers.get(call, id, "os_compute_api:os-server-diagnostics")
    _check_host(row)
    try:
        found = call.svc.agents.diagnostics(call.ctx, row["host"], id)
    except errors.StepFailed:  # the server has no guest
        found = None
    if found is None:
        power = row["power_state"] if row["power_state"] != RUNNING else 0
        raise errors.InvalidState(action="get_diagnostics", resource="instance", id=id, attr="power state",
                                  state=_POWER_NAMES.get(power, "pending"))
    return row, found


def change_password(call: Call, id: str, password: str) -> None:
    """Have the agent in the guest set the administrator's password. It is kept only encrypted with the server's RSA key.

    :raises Conflict: the server's state does not allow it, or it has no guest agent
    :raises NotSupported: the agent does not answer
    """
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, "os_compute_api:os-admin-password")
        access.check_lock(call, row)
        for attr, wanted in (("vm_state", ACTIVE), ("task_state", None)):
            if row[attr] != wanted:
                raise errors.InvalidState(action="changePassword", resource="instance", id=id, attr=attr, state=row[attr])
        _check_host(row)
        actions.start(connection, call.ctx, id, "changePassword")
    try:
        _set_password(call, row, password)
    except errors.Error as error:
        with call.svc.db.writer() as connection:
            actions.failed(connection, call.ctx.request_id, id, str(error))
        raise
    _keep_sealed(call, row, password)


def _set_password(call: Call, row: dict, password: str) -> None:
    """:raises Conflict, NotSupported: as ``change_password``. :raises ServiceUnavailable: the host does not respond"""
    hardware, answer = guest_hardware.of_server(row), "disabled"
    if hardware.guest_agent:
        user = row["image_meta"].get("properties", {}).get("os_admin_user")
        answer = call.svc.agents.set_password(
            call.ctx, row["host"], row["uuid"], user or ("Administrator" if hardware.os_type == "windows" else "root"), password)
    if answer != "set":
        raise _refusal(row["uuid"], answer)


def _keep_sealed(call: Call, row: dict, password: str) -> None:
    """Store the password as if the guest had posted it, encrypted: os-server-password shows it to the owner of the key."""
    try:
        key = serialization.load_ssh_public_key((row["key_data"] or "").encode())
    except (ValueError, exceptions.UnsupportedAlgorithm):
        return
    if isinstance(key, rsa.RSAPublicKey) and len(password.encode()) <= key.key_size // 8 - 11:
        sealed = base64.b64encode(key.encrypt(password.encode(), padding.PKCS1v15())).decode()
        with call.svc.db.writer() as connection:
            instances.write(connection, row["uuid"], posted_password=sealed)


def _refusal(id: str, answer: str) -> errors.Error:
    if answer == "disabled":
        return errors.Conflict("QEMU guest agent is not enabled")
    if answer == "no agent":
        return errors.NotSupported("Unable to set password on instance")
    reason = f"instance {id} is not running" if answer == "not running" else "error setting admin password"
    return errors.Conflict(f"Failed to set admin password on {id} because {reason}")


def trigger_crash_dump(call: Call, id: str) -> None:
    """:raises Conflict: the server is locked, or its state, or its hypervisor, does not allow it"""
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, "os_compute_api:servers:trigger_crash_dump")
        access.check_lock(call, row)
        _check_host(row)
        for attr, wanted in (("vm_state", _DUMPING), ("task_state", (None,))):
            if row[attr] not in wanted:
                raise errors.InvalidState(action="trigger_crash_dump", resource="instance", id=id, attr=attr, state=row[attr])
        access.check_hypervisor(connection, row, guest_needs.CRASH_DUMP)
        actions.start(connection, call.ctx, id, "trigger_crash_dump")
    call.svc.send(call.svc.agents.trigger_crash_dump, call.ctx, row["host"], id)
