"""The scheduler on the bus, and the request that it is given."""

from common.rpc import Client


def request_spec(row: dict) -> dict:
    """What the scheduler must know of an instance row."""
    return {"uuid": row["uuid"], "project_id": row["project_id"], "vcpus": row["vcpus"], "memory_mb": row["memory_mb"],
            "disk_gb": row["disk_gb"], "availability_zone": row["availability_zone"],
            "requested_host": row["requested_host"], "hints": row["scheduler_hints"], "server_group_id": row["server_group_id"],
            "image_properties": row["image_meta"].get("properties", {}), "tried_hosts": row["tried_hosts"],
            "attempt": row["attempt"], "last_failure": row["fault"]["message"] if row["fault"] else None}


class SchedulerAPI(Client):
    topic = "scheduler"

    def build(self, ctx, specs: list) -> None:
        """Call, 1.0, 15 s: place servers and send each to its host. Without an answer they stay BUILD/scheduling and
        the conductor asks again; asked twice, the second finds them placed."""
        self.call(ctx, "build", timeout_s=15, specs=specs)
