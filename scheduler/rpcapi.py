# mypy: disable-error-code="empty-body"
"""The scheduler's RPC interface, and the specification of a server to be placed."""

from typing import Annotated

from common import guest_needs
from common.interface import call, cast
from common.messages import Added, Count, HostName, Id
from common.rpc import Client
from scheduler.messages import RequestSpec


def request_spec(row: dict) -> RequestSpec:
    """The part of an instance's row that the scheduler needs."""
    return {"uuid": row["uuid"], "project_id": row["project_id"], "vcpus": row["vcpus"], "memory_mb": row["memory_mb"],
            "disk_gb": row["disk_gb"], "availability_zone": row["pinned_availability_zone"],
            "requested_host": row["requested_host"], "hints": row["scheduler_hints"], "server_group_id": row["server_group_id"],
            "image_properties": row["image_meta"].get("properties", {}), "tried_hosts": row["tried_hosts"],
            "flavor_name": row["flavor"].get("name"), "extra_specs": row["flavor"].get("extra_specs"),
            "image_id": row["image_ref"], "hardware_needs": guest_needs.of(row), "attempt": row["attempt"],
            "hypervisor_needs": guest_needs.of_hypervisor(row), "last_failure": row["fault"]["message"] if row["fault"] else None}


class SchedulerAPI(Client):
    topic = "scheduler"
    level = "scheduler"
    history = {
        "1.0": "The first version.",
        "1.1": "Requests have attempt; build is a cast, no call.",
        "1.2": "claim_target is new.",
        "1.3": "claim_target takes force, requests have hardware_needs. claim_host is new.",
        "1.4": "Requests have flavor_name, extra_specs and image_id.",
        "1.5": "Requests have hypervisor_needs."}

    @cast()
    def build(self, ctx, specs: list[RequestSpec]) -> None:
        """Place servers and send each to its host. Lost: they stay BUILD/scheduling, and the conductor repeats the request;
        repeated: nothing changes."""

    @call(timeout_s=15, since="1.2")
    def claim_target(self, ctx, uuid: Id, attempt: int, migration_id: Count, requested_host: HostName | None,
                     force: Annotated[bool, Added("1.3")] = False) -> HostName | None:
        """Claim the target of a migration, in addition to the server's own host. None: the server is in another attempt, or does
        not exist. ``force``: the requested host without the filters, if it has room. Repeatable: returns the same host."""

    @call(timeout_s=15, since="1.3")
    def claim_host(self, ctx, uuid: Id, attempt: int, requested_host: HostName | None) -> HostName | None:
        """Claim a host for an offloaded server, and write it to its row. None: the server is in another attempt, or does not
        exist. Repeatable: returns the same host."""
