"""Shapes of what agents ask of the conductor and report to it."""

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from common.messages import Added, HostName, Id, Text


class FixedIp(TypedDict):
    """The last three only where the server has a config drive."""

    ip_address: str
    subnet_id: NotRequired[str]
    cidr: NotRequired[str | None]
    gateway: NotRequired[str | None]
    dhcp: NotRequired[bool]


class FloatingIp(TypedDict):
    floating: str
    fixed: NotRequired[str | None]


class Port(TypedDict):
    """A port in a server's network_info."""

    id: Id
    network_id: Id
    network_name: NotRequired[str]
    mac_address: str
    fixed_ips: list[FixedIp]
    floating_ips: NotRequired[list[FloatingIp]]
    mtu: NotRequired[int | None]
    tag: NotRequired[str | None]


class NetworkFacts(TypedDict):
    """What hosts need to know of a network. ``mtu`` is in bytes."""

    name: str
    mtu: int


class RequestedNetwork(TypedDict):
    """What a server is to have: ``port``, which its owner made, or a new port on the network ``uuid``. Hosts ask the network
    service for the ``network`` that is not described."""

    uuid: NotRequired[Id | None]
    port: NotRequired[Id | None]
    fixed_ip: NotRequired[str | None]
    tag: NotRequired[str | None]
    network: NotRequired[Annotated[NetworkFacts, Added("1.1")]]


class SecurityGroup(TypedDict):
    """``id`` is empty for the project's default."""

    id: str
    name: str


class BlockDevice(TypedDict):
    """A volume of a server; ``attachment_id`` is None until it is attached."""

    id: Id
    volume_id: Id
    attachment_id: Id | None
    device_name: str
    boot_index: int | None
    delete_on_termination: bool
    tag: str | None


class ImageFile(TypedDict, total=False):
    """What a host must know of an image to fetch it; of one that an older release recorded, the id alone."""

    id: Id
    disk_format: str | None
    size: int | None  # bytes
    os_hash_algo: str | None
    os_hash_value: str | None


class Image(ImageFile, total=False):
    """Empty where a server boots from a volume."""

    properties: dict[str, Any]
    kernel: ImageFile
    ramdisk: ImageFile


class Flavor(TypedDict):
    """The flavor as it was when the server was created."""

    name: str
    disk: int  # GiB
    id: NotRequired[str | int]
    ram: NotRequired[int]  # MiB
    vcpus: NotRequired[int]
    ephemeral: NotRequired[int]  # GiB
    swap: NotRequired[int]  # MiB
    extra_specs: NotRequired[dict[str, Any]]


class Instance(TypedDict):
    """What a host must know of a server. ``user_data`` is base64."""

    uuid: Id
    project_id: str
    display_name: str
    hostname: str
    image_ref: str | None
    flavor: Flavor
    vcpus: int
    memory_mb: int
    vm_state: str
    task_state: str | None
    power_state: int
    host: HostName | None
    availability_zone: str | None
    key_name: str | None
    key_data: str | None
    user_data: str | None
    config_drive: bool
    metadata: dict[str, str]
    image_meta: Image
    rescue_image: Image | None
    security_groups: list[SecurityGroup]
    requested_networks: list[RequestedNetwork]
    network_info: list[Port]
    tried_hosts: list[str]
    root_device_name: str
    reservation_id: str
    launch_index: int
    block_devices: list[BlockDevice]
    attempt: Annotated[int | None, Added("1.1", default=None)]


class InstanceToBuild(Instance):
    """``begun_before``: a host was told to build this attempt already, and may have left something."""

    begun_before: Annotated[bool, Added("1.1", default=True)]


class InstanceState(TypedDict):
    uuid: Id
    vm_state: str
    task_state: str | None
    power_state: int


class Event(TypedDict):
    """A step of an action. Times are seconds since 1970."""

    event: str
    host: NotRequired[str | None]
    start: float
    finish: NotRequired[float | None]
    result: NotRequired[Literal["Success", "Error"] | None]
    details: NotRequired[str | None]


class Outcome(TypedDict, total=False):
    """What an action that succeeded has changed of its server."""

    power_state: int
    network_info: list[Port]


class HostResources(TypedDict):
    """``memory_mb`` in MiB, ``local_gb`` in GiB; ``facts``: what the hypervisor is, as the hypervisors API shows it."""

    hypervisor_hostname: str
    vcpus: int
    memory_mb: int
    local_gb: int
    facts: dict[str, Any]


class OperationData(TypedDict, total=False):
    """What a host must know of an operation. ``vm_state``: of the server before it."""

    source: HostName
    target: HostName | None
    vm_state: str


class OperationStep(TypedDict):
    """``step`` is a method of ``compute_agent.migration.HostSteps``; ``instance`` is the server as it is to be on the host, None
    where it is gone."""

    uuid: Id
    step: str
    attempt: int
    data: OperationData
    instance: Instance | None


class StepResult(TypedDict, total=False):
    """What a step has made: ``attachments`` is {volume id: attachment id}."""

    attachments: dict[Id, Id]
    power_state: int


class StepReport(TypedDict):
    """``again``: a part was away, so the step may be tried again."""

    host: HostName
    result: NotRequired[StepResult]
    error: NotRequired[Text]
    again: NotRequired[bool]
