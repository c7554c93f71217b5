"""The messages of the scheduler's RPC interface."""

from typing import Annotated, Any, TypedDict

from common.guest_needs import Needs
from common.messages import Added, Count, Id


class RequestSpec(TypedDict):
    """A server that needs a host. ``memory_mb`` in MiB, ``disk_gb`` in GiB; ``hints`` as the client sent them."""

    uuid: Id
    project_id: str
    vcpus: Count
    memory_mb: Count
    disk_gb: Count
    availability_zone: str | None
    requested_host: str | None
    hints: dict[str, Any]
    server_group_id: Id | None
    image_properties: dict[str, Any]
    tried_hosts: list[str]
    last_failure: str | None
    attempt: Annotated[int | None, Added("1.1", default=None)]
    hardware_needs: Annotated[Needs | None, Added("1.3", default=None)]
    flavor_name: Annotated[str | None, Added("1.4", default=None)]
    extra_specs: Annotated[dict[str, Any] | None, Added("1.4", default=None)]
    image_id: Annotated[str | None, Added("1.4", default=None)]
    hypervisor_needs: Annotated[list[str] | None, Added("1.5", default=None)]
