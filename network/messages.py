"""Shapes of the state that network agents build.

Only the names of fields are declared. The agent parses the values one by one (``network.agent.parsing``), so that a
port that cannot be rendered closes only that port; therefore they are ``Any`` here.
"""

from typing import Annotated, Any, NotRequired, TypedDict

from common.messages import Added


class Subnet(TypedDict):
    id: Any
    ip_version: Any
    cidr: Any
    gateway_ip: Any
    enable_dhcp: Any
    dns_nameservers: Any
    host_routes: Any
    ipv6_ra_mode: Any
    ipv6_address_mode: Any


class FixedIp(TypedDict):
    subnet_id: Any
    ip_address: Any


class DhcpPort(TypedDict):
    id: Any
    mac_address: Any
    fixed_ips: list[FixedIp]


class Network(TypedDict):
    """A network. ``serves``: this host serves its DHCP; ``peers``: tunnel addresses of the other hosts that are part
    of it."""

    id: str
    mtu: Any
    external: Any
    type: Any
    physical: Any
    segment: Any
    subnets: list[Subnet]
    dhcp_port: DhcpPort | None
    serves: bool
    peers: list[str]


class Port(TypedDict):
    """A port. ``here``: it is plugged on this host; ``multiqueue``: its guest's interface has several queues."""

    here: bool
    id: str
    network_id: Any
    mac_address: Any
    device_id: Any
    device_owner: Any
    project_id: Any
    admin_state_up: Any
    port_security_enabled: Any
    allowed_address_pairs: Any
    extra_dhcp_opts: Any
    dns_name: Any
    fixed_ips: list[FixedIp]
    security_groups: list[str]
    multiqueue: Annotated[Any, Added("1.2", default=False)]


class Rule(TypedDict):
    direction: Any
    ethertype: Any
    protocol: Any
    port_range_min: Any
    port_range_max: Any
    remote_ip_prefix: Any
    remote_group_id: Any


class Group(TypedDict):
    """A security group. ``members``: addresses, if rules of others refer to it; ``only_members``: it does not include
    the rules."""

    rules: list[Rule]
    members: NotRequired[Any]
    only_members: Annotated[bool, Added("1.1", default=False)]


class Advertised(TypedDict):
    cidr: Any
    mode: Any
    dns: Any


class Leg(TypedDict):
    """A router's port. ``addresses`` have prefix lengths."""

    id: str
    network_id: str
    mac_address: Any
    addresses: Any
    advertised: list[Advertised]
    cidrs: Any
    gateways: Any


class FloatingIp(TypedDict):
    floating: Any
    fixed: Any


class MeteringRule(TypedDict):
    direction: Any
    excluded: Any
    source_ip_prefix: Any
    destination_ip_prefix: Any


class MeteringLabel(TypedDict):
    id: Any
    project_id: Any
    rules: list[MeteringRule]


class Router(TypedDict):
    """The part of a router on this host. ``part`` is whole, local or snat."""

    id: str
    part: str
    up: Any
    snat: Any
    routes: Any
    gateway: Leg | None
    interfaces: list[Leg]
    floating: list[FloatingIp]
    hops: list[Leg]
    labels: list[MeteringLabel]


class PortState(TypedDict):
    """Some ports, with the resources that they depend on."""

    networks: list[Network]
    ports: list[Port]
    groups: dict[str, Group]


class PluggedState(PortState):
    """The state that must be applied before a guest starts; ``sequences``, ``routers`` and ``whole`` are those of a
    ``Change``."""

    sequences: Annotated[list[int], Added("1.1", default=[])]
    routers: Annotated[dict[str, list[Router]], Added("1.1", default={})]
    whole: Annotated[list[str], Added("1.1", default=[])]


class HostState(PortState):
    """The whole state of a host; ``hosts`` are the tunnel addresses of the others, ``sequence`` is the last change
    that it includes."""

    routers: list[Router]
    hosts: list[str]
    sequence: Annotated[int | None, Added("1.1", default=None)]


class Change(TypedDict):
    """The changed resources of a host, by id; None, or a router without parts, has been deleted.

    ``sequences`` are the numbers of the changes that it contains; ``whole`` are networks whose ports are all
    included.
    """

    sequences: list[int]
    networks: dict[str, Network | None]
    ports: dict[str, Port | None]
    routers: dict[str, list[Router]]
    groups: dict[str, Group]
    whole: list[str]


class Inventory(TypedDict, total=False):
    """Names of devices, bridges and namespaces, and of chains of filter rules; empty with the fake data plane."""

    tap: list[str]
    bridge: list[str]
    namespace: list[str]
    filter: list[str]


# Reported by an agent; the API shows it as the agent's ``configurations``.
Configurations = dict[str, Any]
