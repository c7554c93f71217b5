"""Shapes of the conductor's RPC messages."""

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from common.messages import Added, Count, HostName, Id, Text


class FixedIp(TypedDict):
    """The last three fields are present only if the server has a config drive."""

    ip_address: str
    subnet_id: NotRequired[str]
    cidr: NotRequired[str | None]
    gateway: NotRequired[str | None]
    dhcp: NotRequired[bool]


class FloatingIp(TypedDict):
    floating: str
    fixed: NotRequired[str | None]


class Port(TypedDict):
    """A port in a server's network_info. ``attach_id`` is of the request that attached it; those that came with the server have
    none."""

    id: Id
    network_id: Id
    network_name: NotRequired[str]
    mac_address: str
    fixed_ips: list[FixedIp]
    floating_ips: NotRequired[list[FloatingIp]]
    mtu: NotRequired[int | None]
    tag: NotRequired[str | None]
    attach_id: NotRequired[Annotated[Id, Added("1.3")]]


class NetworkFacts(TypedDict):
    """What hosts need of a network. ``mtu`` is in bytes."""

    name: str
    mtu: int


class RequestedNetwork(TypedDict):
    """A requested network: a preexisting ``port``, or a new port on the network ``uuid``. If ``network`` is missing, hosts ask
    the network service for it.
    """

    uuid: NotRequired[Id | None]
    port: NotRequired[Id | None]
    fixed_ip: NotRequired[str | None]
    tag: NotRequired[str | None]
    network: NotRequired[Annotated[NetworkFacts, Added("1.1")]]


class SecurityGroup(TypedDict):
    """``id`` is empty for the project's default group."""

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
    """What hosts need to fetch an image; for images recorded by an older release, only the id."""

    id: Id
    disk_format: str | None
    size: int | None  # bytes
    os_hash_algo: str | None
    os_hash_value: str | None


class Image(ImageFile, total=False):
    """Empty if the server boots from a volume."""

    properties: dict[str, Any]
    kernel: ImageFile
    ramdisk: ImageFile


class LocalDisk(TypedDict):
    """An ephemeral or swap disk. ``format``: the file system that was asked for."""

    device_name: str
    kind: Literal["ephemeral", "swap"]
    size_mb: int
    format: str | None


class Flavor(TypedDict):
    """The flavor when the server was created or last resized, and the disks that the server has of it."""

    name: str
    disk: int  # GiB
    id: NotRequired[str | int]
    ram: NotRequired[int]  # MiB
    vcpus: NotRequired[int]
    ephemeral: NotRequired[int]  # GiB
    swap: NotRequired[int]  # MiB
    extra_specs: NotRequired[dict[str, Any]]
    local_disks: NotRequired[Annotated[list[LocalDisk], Added("1.4")]]


class InjectedFile(TypedDict):
    """``contents`` is base64."""

    path: str
    contents: str


class Instance(TypedDict):
    """What hosts need of a server. ``user_data`` is base64."""

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
    injected_files: NotRequired[Annotated[list[InjectedFile] | None, Added("1.4")]]


class InstanceToBuild(Instance):
    """``begun_before``: a host was asked to build this attempt before, and may have left something."""

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
    """What a successful action has changed of its server. ``password_used``: it is on the config drive, and need not be kept."""

    power_state: int
    network_info: list[Port]
    password_used: Annotated[bool, Added("1.6")]


SecretKind = Literal["admin_password", "tpm"]


class HostResources(TypedDict):
    """``memory_mb`` in MiB, ``local_gb`` in GiB; ``facts``: the hypervisor's capabilities, as the hypervisors API shows them."""

    hypervisor_hostname: str
    vcpus: int
    memory_mb: int
    local_gb: int
    facts: dict[str, Any]


class ReturnedHost(TypedDict):
    """What a host that returns must know: the servers that have ``left`` it, of which it must remove everything before it does
    anything else, and whether it ``may_start`` guests of others.
    """

    left: list[Id]
    may_start: bool


class OperationData(TypedDict, total=False):
    """What hosts need of an operation. ``vm_state``: of the server before the operation, of an evacuation or unshelving: after;
    ``migration``: the id of its row; ``image_id``: of the image that a shelved server's disk is stored in.
    """

    source: HostName
    target: HostName | None
    vm_state: str
    migration: Annotated[int, Added("1.4")]
    image_id: Annotated[Id, Added("1.4")]


class OperationStep(TypedDict):
    """``step`` is a method of ``compute_agent.migration.HostSteps``; ``instance`` is the server as it should be on the host, or
    None if it no longer exists; ``goes_on``: the host executes the next step too, and asks for it with its report.
    """

    uuid: Id
    step: str
    attempt: int
    data: OperationData
    instance: Instance | None
    number: Annotated[int, Added("1.7", default=0)]
    goes_on: Annotated[bool, Added("1.7", default=False)]


class StepResult(TypedDict, total=False):
    """Results of a step: ``attachments`` is {volume id: attachment id}."""

    attachments: dict[Id, Id]
    power_state: int


class Progress(TypedDict):
    """Bytes that a live migration has copied, and has to copy."""

    memory_total: Count
    memory_processed: Count
    memory_remaining: Count
    disk_total: Count
    disk_processed: Count
    disk_remaining: Count


class RequestedOfMigration(TypedDict):
    """``current``: whether the step is still wanted; ``requested_action``: what an operator has requested of a live migration."""

    current: bool
    requested_action: Literal["abort", "force"] | None


class StepReport(TypedDict):
    """``again``: a service did not respond, so the step may be retried."""

    host: HostName
    result: NotRequired[StepResult]
    error: NotRequired[Text]
    again: NotRequired[bool]
