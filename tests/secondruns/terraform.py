"""The requests that Terraform's OpenStack provider sends, through gophercloud, for the resources of a small configuration.

One or more requests create a resource, and a GET reads it. Terraform's second run compares the attributes that were written with
those that are read, and writes again what differs. ``${network}`` stands for the id of the resource ``network``, ``${self}`` for
the resource's own.
"""

import base64
import dataclasses
import json
import re
import typing

from deploy.first import Cloud

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5nI1qJbqj1nBmDZc1xU7kbBQvS3eY7X0bT2W4VpX9c someone@example.org\n"
IMAGE = b"\1" * 100_000


class Request(typing.NamedTuple):
    """:param body: a JSON value, or bytes
    :param version: the microversion, if the provider asks for one
    """

    method: str
    path: str
    body: object = None
    version: str = ""


@dataclasses.dataclass(frozen=True)
class Resource:
    """:param name: the name by which other resources refer to it
    :param make: the requests that create it
    :param id: where the first one's answer has the id: keys joined by dots
    :param read: the path that shows it, and its key in the answer
    :param expects: the attributes it must show, if they differ from those in the first request of ``make``
    :param delete: the request that deletes it
    :param until: the status to wait for
    :param version: the microversion of reads
    """

    name: str
    service: str
    make: tuple[Request, ...]
    id: str
    read: tuple[str, str]
    expects: dict | None
    delete: Request
    until: str = ""
    version: str = ""

    @property
    def written(self) -> dict:
        """The attributes that a second run compares."""
        return self.expects if self.expects is not None else typing.cast(dict, self.make[0].body)[self.read[1]]


def simple(name: str, service: str, path: str, key: str, body: dict, *more: Request, expects: dict | None = None, until: str = "",
           version: str = "") -> Resource:
    """A resource that is created by a POST to ``path``, and read and deleted at ``path``/id."""
    wanted = {**body, **expects} if expects else None
    return Resource(name, service, (Request("POST", path, {key: body}, version), *more), f"{key}.id", (f"{path}/${{self}}", key),
                    wanted, Request("DELETE", f"{path}/${{self}}"), until, version)


def tagged(path: str, *tags: str) -> Request:
    return Request("PUT", f"/{path}/${{self}}/tags", {"tags": list(tags)})


NETWORKS = (
    simple("group", "network", "/security-groups", "security_group", {"name": "tf-group", "description": "of a plan"},
           tagged("security-groups", "blue")),
    simple("rule", "network", "/security-group-rules", "security_group_rule", {
        "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22,
        "security_group_id": "${group}", "remote_ip_prefix": "0.0.0.0/0"}),
    simple("rule6", "network", "/security-group-rules", "security_group_rule", {
        "direction": "egress", "ethertype": "IPv6", "protocol": "ipv6-icmp", "security_group_id": "${group}",
        "remote_group_id": "${group}", "description": "ping"}),
    simple("network", "network", "/networks", "network", {
        "name": "tf-network", "description": "of a plan", "admin_state_up": True, "port_security_enabled": True, "mtu": 1400},
        tagged("networks", "green", "Green")),
    simple("pool", "network", "/subnetpools", "subnetpool", {
        "name": "tf-pool", "prefixes": ["10.75.0.0/16"], "default_prefixlen": 24, "min_prefixlen": 20, "max_prefixlen": 28},
        expects={"default_prefixlen": "24", "min_prefixlen": "20", "max_prefixlen": "28"}),  # which gophercloud reads as numbers
    simple("subnet", "network", "/subnets", "subnet", {
        "network_id": "${network}", "name": "tf-subnet", "cidr": "10.75.1.0/24", "ip_version": 4, "enable_dhcp": True,
        "subnetpool_id": "${pool}", "gateway_ip": "10.75.1.1", "dns_nameservers": ["192.0.2.54", "192.0.2.53"],
        "allocation_pools": [{"start": "10.75.1.100", "end": "10.75.1.200"}, {"start": "10.75.1.10", "end": "10.75.1.50"}]},
        tagged("subnets", "blue")),
    simple("closed", "network", "/subnets", "subnet", {
        "network_id": "${network}", "name": "tf-closed", "cidr": "10.74.1.0/24", "ip_version": 4, "enable_dhcp": False,
        "gateway_ip": None}),
    simple("router", "network", "/routers", "router", {
        "name": "tf-router", "description": "of a plan", "admin_state_up": True,
        "external_gateway_info": {"network_id": "${public}"}}, tagged("routers", "blue")),
    Resource("interface", "network", (Request("PUT", "/routers/${router}/add_router_interface", {"subnet_id": "${subnet}"}),),
             "port_id", ("/ports/${self}", "port"), {"device_id": "${router}", "id": "${self}"},
             Request("PUT", "/routers/${router}/remove_router_interface", {"subnet_id": "${subnet}", "port_id": "${self}"})),
    Resource("route", "network", (Request("PUT", "/routers/${router}", {"router": {
        "routes": [{"destination": "203.0.113.0/24", "nexthop": "10.75.1.30"}]}}),), "router.id", ("/routers/${self}", "router"),
        {"routes": [{"destination": "203.0.113.0/24", "nexthop": "10.75.1.30"},
                    {"destination": "198.51.100.0/24", "nexthop": "10.75.1.31"}]},
        Request("PUT", "/routers/${router}", {"router": {"routes": []}})),
    Resource("routes", "network", (Request("PUT", "/routers/${router}/add_extraroutes", {"router": {
        "routes": [{"destination": "198.51.100.0/24", "nexthop": "10.75.1.31"}]}}),), "router.id", ("/routers/${self}", "router"),
        {"routes": [{"destination": "203.0.113.0/24", "nexthop": "10.75.1.30"},
                    {"destination": "198.51.100.0/24", "nexthop": "10.75.1.31"}]},
        Request("PUT", "/routers/${router}/remove_extraroutes", {"router": {
            "routes": [{"destination": "198.51.100.0/24", "nexthop": "10.75.1.31"}]}})),
    simple("port", "network", "/ports", "port", {
        "network_id": "${network}", "name": "tf-port", "admin_state_up": True, "description": "of a plan",
        "fixed_ips": [{"subnet_id": "${subnet}", "ip_address": "10.75.1.20"}], "security_groups": ["${group}"],
        "allowed_address_pairs": [{"ip_address": "10.75.1.99"}, {"ip_address": "10.75.1.98", "mac_address": "fa:16:3e:75:75:75"}],
        "extra_dhcp_opts": [{"opt_name": "domain-search", "opt_value": "example.org", "ip_version": 4}],
        "port_security_enabled": True, "binding:vnic_type": "normal"}, tagged("ports", "blue", "green")),
    simple("second_port", "network", "/ports", "port", {"network_id": "${network}", "name": "tf-second-port",
                                                        "security_groups": ["${group}"],
                                                        "fixed_ips": [{"subnet_id": "${closed}"}]}),
    simple("bare", "network", "/ports", "port", {
        "network_id": "${network}", "name": "tf-bare", "security_groups": [], "port_security_enabled": False}),
    simple("address", "network", "/floatingips", "floatingip", {
        "floating_network_id": "${public}", "description": "of a plan"}, tagged("floatingips", "blue")),
    Resource("associate", "network", (Request("PUT", "/floatingips/${address}", {"floatingip": {
        "port_id": "${port}", "fixed_ip_address": "10.75.1.20"}}),), "floatingip.id", ("/floatingips/${self}", "floatingip"),
        None, Request("PUT", "/floatingips/${self}", {"floatingip": {"port_id": None}})),
)
VOLUME = simple("volume", "volume", "/volumes", "volume", {
    "name": "tf-volume", "size": 1, "description": "of a plan", "metadata": {"part": "data"}}, until="available")
STORES = (
    VOLUME,
    Resource("image", "image", (
        Request("POST", "/images", {
            "name": "tf-image", "container_format": "bare", "disk_format": "raw", "min_disk": 1, "min_ram": 64,
            "protected": False, "visibility": "private", "os_distro": "none", "tags": ["blue", "green"]}),
        Request("PUT", "/images/${self}/file", IMAGE)), "id", ("/images/${self}", ""), {
            "name": "tf-image", "container_format": "bare", "disk_format": "raw", "min_disk": 1, "min_ram": 64,
            "protected": False, "visibility": "private", "os_distro": "none", "tags": ["blue", "green"]},
        Request("DELETE", "/images/${self}"), "active"),
)
SERVERS = (
    Resource("key", "compute", (Request("POST", "/os-keypairs", {"keypair": {"name": "tf-key", "public_key": KEY}}),),
             "keypair.name", ("/os-keypairs/${self}", "keypair"), None, Request("DELETE", "/os-keypairs/${self}")),
    simple("servers", "compute", "/os-server-groups", "server_group", {
        "name": "tf-servers", "policy": "anti-affinity", "rules": {"max_server_per_host": 2}}, version="2.64"),
    Resource("server", "compute", (
        Request("POST", "/servers", {"server": {
            "name": "tf-server", "imageRef": "${image}", "flavorRef": "${flavor}", "config_drive": False, "key_name": "${key}",
            "metadata": {"part": "web"}, "tags": ["blue"], "security_groups": [{"name": "tf-group"}],
            "user_data": base64.b64encode(b"#!/bin/sh\n").decode(),
            "networks": [{"uuid": "${network}", "port": "${port}"}]}, "os:scheduler_hints": {"group": "${servers}"}}, "2.52"),),
        "server.id", ("/servers/${self}", "server"), {
            "name": "tf-server", "metadata": {"part": "web"}, "key_name": "tf-key", "security_groups": [{"name": "tf-group"}],
            "tags": ["blue"]},
        Request("DELETE", "/servers/${self}"), "ACTIVE", "2.26"),
    Resource("data", "compute", (Request("POST", "/servers/${server}/os-volume_attachments", {
        "volumeAttachment": {"volumeId": "${volume}"}}),), "volumeAttachment.id",
        ("/servers/${server}/os-volume_attachments/${self}", "volumeAttachment"), {
            "volumeId": "${volume}", "serverId": "${server}", "device": "/dev/vdb"},
        Request("DELETE", "/servers/${server}/os-volume_attachments/${self}")),
    Resource("second_interface", "compute", (Request("POST", "/servers/${server}/os-interface", {
        "interfaceAttachment": {"port_id": "${second_port}"}}),), "interfaceAttachment.port_id",
        ("/servers/${server}/os-interface/${self}", "interfaceAttachment"), {
            "port_id": "${second_port}", "net_id": "${network}"},
        Request("DELETE", "/servers/${server}/os-interface/${self}")),
)
OPERATORS = (
    simple("project", "identity", "/projects", "project", {
        "name": "tf-project", "description": "of a plan", "enabled": True, "is_domain": False, "tags": ["blue", "green"]}),
    simple("user", "identity", "/users", "user", {
        "name": "tf-user", "default_project_id": "${project}", "enabled": True, "description": "of a plan",
        "password": "of a plan", "options": {"ignore_password_expiry": True}, "email": "tf@example.org"}),
    simple("people", "identity", "/groups", "group", {"name": "tf-people", "description": "of a plan"}),
    simple("role", "identity", "/roles", "role", {"name": "tf-role"}),
    Resource("assignment", "identity", (Request("PUT", "/projects/${project}/groups/${people}/roles/${role}"),), "", (
        "/role_assignments?group.id=${people}&scope.project.id=${project}&role.id=${role}", "role_assignments.0"),
        {"group": {"id": "${people}"}, "role": {"id": "${role}"}, "scope": {"project": {"id": "${project}"}}},
        Request("DELETE", "/projects/${project}/groups/${people}/roles/${role}")),
    Resource("membership", "identity", (Request("PUT", "/groups/${people}/users/${user}"),), "",
             ("/groups/${people}/users", "users.0"), {"id": "${user}"}, Request("DELETE", "/groups/${people}/users/${user}")),
    simple("catalog", "identity", "/services", "service", {
        "name": "tf-service", "type": "tf-type", "enabled": True, "description": "of a plan"}),
    simple("endpoint", "identity", "/endpoints", "endpoint", {
        "name": "tf-endpoint", "region": "RegionOne", "service_id": "${catalog}", "interface": "public",
        "url": "http://192.0.2.1/"}),
    simple("flavor", "compute", "/flavors", "flavor", {
        "name": "tf-flavor", "ram": 64, "vcpus": 1, "disk": 1, "swap": 0, "rxtx_factor": 1.0, "os-flavor-access:is_public": False,
        "OS-FLV-EXT-DATA:ephemeral": 0, "description": "of a plan"},
        Request("POST", "/flavors/${self}/os-extra_specs", {"extra_specs": {"quota:part": "2"}}),
        expects={"swap": ""}, version="2.55"),  # which gophercloud reads as 0
    Resource("access", "compute", (Request("POST", "/flavors/${flavor}/action", {"addTenantAccess": {"tenant": "${own}"}}),), "",
             ("/flavors/${flavor}/os-flavor-access", "flavor_access.0"), {"tenant_id": "${own}"},
             Request("POST", "/flavors/${flavor}/action", {"removeTenantAccess": {"tenant": "${own}"}})),
    Resource("compute_quota", "compute", (Request("PUT", "/os-quota-sets/${project}", {"quota_set": {
        "cores": 8, "instances": 4, "key_pairs": 7}}),), "", ("/os-quota-sets/${project}", "quota_set"), None,
        Request("DELETE", "/os-quota-sets/${project}")),
    Resource("volume_quota", "volume", (Request("PUT", "/os-quota-sets/${project}", {"quota_set": {
        "volumes": 9, "gigabytes": 90}}),), "", ("/os-quota-sets/${project}", "quota_set"), None,
        Request("DELETE", "/os-quota-sets/${project}")),
    Resource("network_quota", "network", (Request("PUT", "/quotas/${project}", {"quota": {"network": 6, "port": 40}}),), "",
             ("/quotas/${project}", "quota"), None, Request("DELETE", "/quotas/${project}")),
    simple("type", "volume", "/types", "volume_type", {
        "name": "tf-type", "description": "of a plan", "os-volume-type-access:is_public": False}),
    Resource("type_access", "volume", (Request("POST", "/types/${type}/action", {
        "addProjectAccess": {"project": "${project}"}}),), "", ("/types/${type}/os-volume-type-access", "volume_type_access.0"),
        {"project_id": "${project}"},
        Request("POST", "/types/${type}/action", {"removeProjectAccess": {"project": "${project}"}})),
)
RESOURCES = (*OPERATORS, *NETWORKS, *STORES, *SERVERS)


class Provider:
    """Creates, reads and destroys resources. ``ids``: the ids of those created, and of others that they refer to."""

    def __init__(self, cloud: Cloud, ids: dict[str, str]):
        self.cloud, self.ids = cloud, dict(ids)

    def make(self, resource: Resource) -> None:
        """:raises RuntimeError: with the API's answer"""
        for number, request in enumerate(resource.make):
            answer = self.send(resource, request)
            if not number:
                self.ids[resource.name] = typing.cast(str, at(answer, resource.id)) if resource.id else resource.name

    def status(self, resource: Resource) -> str:
        return self.read(resource)["status"]

    def read(self, resource: Resource) -> dict:
        path, key = resource.read
        return typing.cast(dict, at(self.send(resource, Request("GET", path, None, resource.version)), key))

    def drift(self, resource: Resource) -> dict[str, tuple]:
        """The attributes that a second run would write again: {name: (configured, read)}"""
        wanted, found = self.filled(resource.written, resource), self.read(resource)
        return {k: (v, found.get(k)) for k, v in wanted.items() if k not in UNREAD and not same(v, found.get(k), k)}

    def destroy(self, resource: Resource) -> None:
        self.send(resource, resource.delete)

    def gone(self, resource: Resource) -> bool:
        try:
            self.read(resource)
        except (RuntimeError, LookupError):
            return True
        return False

    def filled(self, value, resource: Resource):
        """``value`` with ids in place of the ``${...}`` references."""
        ids = {**self.ids, "self": self.ids.get(resource.name, "")}
        return json.loads(re.sub(r"\$\{(\w+)\}", lambda m: ids[m[1]], json.dumps(value)))

    def send(self, resource: Resource, request: Request) -> dict:
        """The JSON answer. Like gophercloud, asks for a microversion only if a resource needs one."""
        headers = {"X-Auth-Token": self.cloud.token, "Accept": "application/json"}
        if request.version:
            headers["OpenStack-API-Version"] = f"compute {request.version}"
            headers["X-OpenStack-Nova-API-Version"] = request.version
        body = None
        if isinstance(request.body, bytes):
            headers["Content-Type"], body = "application/octet-stream", request.body
        elif request.body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(self.filled(request.body, resource)).encode()
        url = self.cloud.url(resource.service) + self.filled(request.path, resource)
        answer = self.cloud.pool.request(request.method, url, body=body, headers=headers, timeout=60)
        if answer.status >= 400:
            raise RuntimeError(f"{resource.name}: {request.method} {url}: {answer.status} {answer.data[:500]!r}")
        return json.loads(answer.data) if answer.data else {}


# Attributes that are never shown.
UNREAD = {"password"}
# Lists whose order matters to Terraform; it treats the others as sets.
ORDERED = {"dns_nameservers", "prefixes", "fixed_ips"}


def at(answer, keys: str):
    """The value in an answer below ``keys``, which are joined by dots."""
    for key in keys.split(".") if keys else ():
        answer = answer[int(key) if key.isdigit() else key]
    return answer


def same(written, read, name: str = "") -> bool:
    """Whether a read value matches a written one: dictionaries may have more keys, and sets another order."""
    if isinstance(written, dict):
        return isinstance(read, dict) and all(same(v, read.get(k), k) for k, v in written.items())
    if isinstance(written, list) and isinstance(read, list) and name not in ORDERED:
        return len(written) == len(read) and all(any(same(w, r) for r in read) for w in written)
    if isinstance(written, list) and isinstance(read, list):
        return len(written) == len(read) and all(map(same, written, read))
    return written == read
