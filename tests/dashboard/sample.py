"""A cloud that is only answers: one for each request that pages make, in any number of rows. It stands where a real one would be
too slow, too small, or too well-behaved.

A new panel needs an entry in ``LISTS`` for each list of an API that it reads.
"""

import dataclasses
import datetime
import hashlib
import re
import typing
import urllib.parse

from common import errors
from dashboard.filters import segment
from tests.dashboard.apis import OTHER, PROJECT, Apis, Dashboard

MOMENT = "2026-11-28T11:0{}:00Z"
Row = dict[str, typing.Any]


def uid(kind: str, n: int) -> str:
    text = hashlib.md5(f"{kind} {n}".encode()).hexdigest()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _cycle(n: int, *values):
    return values[n % len(values)]


def _moment(n: int) -> str:
    return MOMENT.format(n % 10)


def _own(n: int) -> str:
    """The project of the user, and now and then another."""
    return OTHER if n % 5 == 4 else PROJECT


def _named(kind: str, n: int, name: str, **more) -> Row:
    return {"id": uid(kind, n), "name": f"{name}-{n:02}", "description": _cycle(n, "", "What it is for"), **more}


def server(n: int) -> Row:
    status = _cycle(n, "ACTIVE", "ACTIVE", "SHUTOFF", "BUILD", "ERROR", "PAUSED", "VERIFY_RESIZE", "SHELVED_OFFLOADED")
    row = _named(
        "server", n, "web", status=status, tenant_id=_own(0), user_id="e" * 32, created=_moment(n), updated=_moment(n),
        metadata={"role": "web"}, tags=["production"], locked=False, locked_reason=None, key_name="laptop", progress=0,
        server_groups=[uid("server_group", 0)], addresses={"private": [
            {"addr": f"10.0.{n // 250}.{n % 250 + 4}", "version": 4, "OS-EXT-IPS:type": "fixed"},
            *([{"addr": f"203.0.113.{n % 250}", "version": 4, "OS-EXT-IPS:type": "floating"}] if n % 3 == 0 else [])]},
        flavor={"original_name": "m1.small", "vcpus": 1, "ram": 2048, "disk": 20, "extra_specs": {}},
        image=None if n % 7 == 6 else {"id": uid("image", n % 3)}, config_drive="", hostId="", trusted_image_certificates=None)
    row |= {"OS-EXT-STS:task_state": "spawning" if status == "BUILD" else None, "OS-EXT-STS:vm_state": status.lower(),
            "OS-EXT-STS:power_state": 1, "OS-EXT-AZ:availability_zone": "nova", "OS-EXT-SRV-ATTR:host": _cycle(n, "node1",
                "node2"),
            "OS-EXT-SRV-ATTR:instance_name": f"instance-{n:08x}", "os-extended-volumes:volumes_attached": [],
            "OS-DCF:diskConfig": "MANUAL", "OS-SRV-USG:launched_at": _moment(n), "OS-SRV-USG:terminated_at": None}
    if status == "ERROR":
        row["fault"] = {"code": 500, "created": _moment(n),
                        "message": "No valid host was found. 3 hosts: RamFilter left 1, ComputeFilter left 0."}
    return row


def image(n: int) -> Row:
    return _named(
        "image", n, "debian", status=_cycle(n, "active", "active", "queued", "importing", "deactivated"), owner=_own(n),
        visibility=_cycle(n, "private", "shared", "public", "community"), protected=n % 4 == 1, os_hidden=False, size=_cycle(
            n, 2_361_393_152, 46_137_344, None), virtual_size=None, container_format="bare", disk_format=_cycle(n, "qcow2",
                "raw"),
        created_at=_moment(n), updated_at=_moment(n), tags=["cloud"], min_ram=0, min_disk=2, checksum="d" * 32,
        os_hash_algo="sha512", os_hash_value="a" * 128, os_distro="debian", hw_disk_bus="scsi")


def volume(n: int) -> Row:
    status = _cycle(n, "available", "in-use", "creating", "error", "maintenance")
    attached = [{"server_id": uid("server", 0), "device": "/dev/vdb", "attachment_id": uid("attachment", n), "id": uid("volume",
        n),
                 "volume_id": uid("volume", n), "host_name": "node1", "attached_at": _moment(n)}] if status == "in-use" else []
    return _named(
        "volume", n, "data", status=status, size=_cycle(n, 1, 20, 500), volume_type="standard", attachments=attached,
        bootable=_cycle(n, "false", "true"), multiattach=False, encrypted=False, availability_zone="nova", created_at=_moment(n),
        updated_at=_moment(n), source_volid=None, snapshot_id=None, metadata={"purpose": "database"}, replication_status=None,
        consistencygroup_id=None, group_id=None, user_id="e" * 32, migration_status=None, volume_type_id=uid("type", 0)) | {
        "os-vol-host-attr:host": "node1@lvm", "os-vol-tenant-attr:tenant_id": _own(n)}


def network(n: int) -> Row:
    return _named(
        "network", n, "net", status=_cycle(n, "ACTIVE", "DOWN"), project_id=_own(n), tenant_id=_own(n), admin_state_up=True,
        shared=n % 5 == 4, mtu=1450, subnets=[uid("subnet", n)], created_at=_moment(n), updated_at=_moment(n), tags=[],
        port_security_enabled=True, availability_zones=["nova"]) | {
        "router:external": n % 4 == 3, "provider:network_type": "vxlan", "provider:segmentation_id": 100 + n,
        "provider:physical_network": None}


def subnet(n: int) -> Row:
    return _named(
        "subnet", n, "subnet", network_id=uid("network", n), project_id=_own(n), cidr=f"10.{n % 250}.0.0/24", ip_version=4,
        gateway_ip=f"10.{n % 250}.0.1", enable_dhcp=True, dns_nameservers=["192.0.2.53"], host_routes=[],
        allocation_pools=[{"start": f"10.{n % 250}.0.10", "end": f"10.{n % 250}.0.200"}], created_at=_moment(n))


def port(n: int) -> Row:
    return _named(
        "port", n, _cycle(n, "", "port"), network_id=uid("network", n % 3), project_id=_own(0), tenant_id=_own(0),
        status=_cycle(n, "ACTIVE", "DOWN"), admin_state_up=True, mac_address=f"fa:16:3e:00:{n // 256 % 256:02x}:{n % 256:02x}",
        fixed_ips=[{"subnet_id": uid("subnet", n % 3), "ip_address": f"10.{n % 3}.0.{n % 250 + 4}"}], device_id=_cycle(
            n, uid("server", n // 2), uid("router", 0)), device_owner=_cycle(n, "compute:nova", "network:router_interface"),
        security_groups=[uid("group", 0)], allowed_address_pairs=[], port_security_enabled=True, created_at=_moment(n)) | {
        "binding:host_id": "node1", "binding:vnic_type": "normal"}


def router(n: int) -> Row:
    return _named(
        "router", n, "router", status=_cycle(n, "ACTIVE", "ERROR"), project_id=_own(0), admin_state_up=True,
        created_at=_moment(n),
        routes=[{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}], ha=False, distributed=False, external_gateway_info={
            "network_id": uid("network", 3), "enable_snat": True, "external_fixed_ips": [
                {"subnet_id": uid("subnet", 3), "ip_address": f"203.0.113.{n % 250}"}]} if n % 2 == 0 else None)


def floating_ip(n: int) -> Row:
    return {"id": uid("floating", n), "floating_ip_address": f"203.0.113.{n % 250}", "description": _cycle(n, "", "The web site"),
            "fixed_ip_address": _cycle(n, "10.0.0.4", None), "status": _cycle(n, "ACTIVE", "DOWN"), "project_id": _own(0),
            "tenant_id": _own(0), "port_id": _cycle(n, uid("port", n), None), "floating_network_id": uid("network", 3),
            "router_id": None, "created_at": _moment(n), "port_forwardings": [], "port_details": None}


def _rule(n: int, group: str) -> Row:
    return {"id": uid("rule", n), "security_group_id": group, "direction": _cycle(n, "ingress", "egress"), "ethertype": "IPv4",
            "protocol": _cycle(n, "tcp", None, "udp"), "port_range_min": _cycle(n, 22, None, 4000), "port_range_max": _cycle(
                n, 22, None, 4010), "remote_ip_prefix": _cycle(n, "192.0.2.0/24", None), "remote_group_id": _cycle(
                n, None, uid("group", 0)), "description": _cycle(n, "From the office", ""), "project_id": PROJECT}


def security_group(n: int) -> Row:
    id = uid("group", n)
    return {**_named("group", n, "web"), "name": "default" if n == 0 else f"web-{n:02}", "project_id": PROJECT, "stateful": True,
            "security_group_rules": [_rule(at, id) for at in range(4)], "created_at": _moment(n), "shared": False}


def _compute_service(n: int) -> Row:
    return {"id": uid("service", n), "binary": _cycle(n, "nova-compute", "nova-scheduler"), "host": f"node{n + 1}",
            "zone": "nova",
            "status": _cycle(n, "enabled", "enabled", "disabled"), "state": _cycle(n, "up", "down"), "updated_at": _moment(n),
            "disabled_reason": _cycle(n, None, None, "A disk is being replaced"), "forced_down": False}


def _hypervisor(n: int) -> Row:
    return {"id": uid("hypervisor", n), "hypervisor_hostname": f"node{n + 1}", "state": _cycle(n, "up", "down"),
            "status": _cycle(n, "enabled", "enabled", "disabled"), "hypervisor_type": "QEMU", "hypervisor_version": 10000000,
            "host_ip": f"192.0.2.{n % 250 + 1}", "vcpus": 32, "vcpus_used": 8 * n % 33, "memory_mb": 131072,
            "memory_mb_used": 20000 * n % 131072, "local_gb": 2000, "local_gb_used": 300 * n % 2000, "running_vms": n,
            "service": {"id": uid("service", n), "host": f"node{n + 1}", "disabled_reason": None},
            "servers": [{"uuid": uid("server", at), "name": f"web-{at:02}"} for at in range(3)]}


def _flavor(n: int) -> Row:
    return {"id": str(n + 1), "name": f"m1.{n:02}", "description": None, "vcpus": 1 << n % 5, "ram": 512 << n % 6, "disk": 10 * n,
            "swap": _cycle(n, "", 512), "extra_specs": {"hw:cpu_policy": "dedicated"} if n % 3 == 1 else {},
            "os-flavor-access:is_public": n % 3 != 1, "OS-FLV-EXT-DATA:ephemeral": 0, "OS-FLV-DISABLED:disabled": False,
            "rxtx_factor": 1.0}


def _assignment(n: int) -> Row:
    who = {"id": uid("user", n), "name": f"user-{n:02}", "domain": {"id": "default", "name": "Default"}}
    return {"user" if n % 3 else "group": who, "role": {"id": uid("role", n % 3), "name": _cycle(n, "member", "admin", "reader")},
            "scope": {"project": {"id": PROJECT, "name": "of-eve", "domain": {"id": "default", "name": "Default"}}}, "links": {}}


def _action(n: int) -> Row:
    return {"action": _cycle(n, "create", "stop", "start", "resize"), "start_time": f"2026-11-28T11:0{n % 10}:00.000000",
            "updated_at": _moment(n), "message": _cycle(n, None, "Error"), "request_id": f"req-{uid('request', n)}",
            "instance_uuid": uid("server", 0), "user_id": "e" * 32, "project_id": PROJECT,
            "events": [{"event": f"compute_{step}", "start_time": f"2026-11-28T11:00:0{at}.000000",
                        "finish_time": f"2026-11-28T11:00:0{at + 1}.500000" if at < 3 else None,
                        "result": _cycle(at, "Success", "Success", "Error", None), "traceback": "It failed." if at == 2 else None,
                        "host": "node1", "hostId": "", "details": None}
                       for at, step in enumerate(("claim", "image", "network", "start"))]}


def _migration(n: int) -> Row:
    return {"id": n, "uuid": uid("migration", n), "instance_uuid": uid("server", n), "status": _cycle(
        n, "completed", "running", "error"), "migration_type": _cycle(n, "migration", "live-migration", "resize", "evacuation"),
        "source_compute": "node1", "dest_compute": "node2", "source_node": "node1", "dest_node": "node2",
        "dest_host": "192.0.2.2",
        "created_at": _moment(n), "updated_at": _moment(n), "old_instance_type_id": 1, "new_instance_type_id": 2,
        "project_id": PROJECT, "user_id": "e" * 32}


def _identity(kind: str, name: str, **more) -> typing.Callable[[int], Row]:
    def row(n: int) -> Row:
        return _named(kind, n, name, domain_id="default", enabled=n % 4 != 3, tags=[], options={}, **more)
    return row


def _project(n: int) -> Row:
    known = {0: {"id": PROJECT, "name": "of-eve"}, 1: {"id": OTHER, "name": "of-others"}}
    return _identity("project", "team")(n) | known.get(n, {})


def _attachment(n: int) -> Row:
    return {"id": uid("volume", n), "volumeId": uid("volume", n), "serverId": uid("server", 0),
            "device": f"/dev/vd{chr(98 + n % 20)}",
            "delete_on_termination": n == 0, "tag": None, "attachment_id": uid("attachment", n), "bdm_uuid": uid("bdm", n)}


def _server_rule(n: int) -> Row:
    return {"ip_protocol": _cycle(n, "tcp", None), "from_port": 22, "to_port": 22, "ip_range": {"cidr": "0.0.0.0/0"}, "group": {},
            "id": uid("rule", n), "parent_group_id": uid("group", 0)}


def _of_server_group(n: int) -> Row:
    return _named("group", n, "web", rules=[_server_rule(at) for at in range(3)], tenant_id=PROJECT)


def _credential(n: int) -> Row:
    kind = _cycle(n, "ec2", "totp")
    return {"id": f"{n:064x}", "type": kind, "user_id": "e" * 32, "project_id": PROJECT if kind == "ec2" else None,
            "blob": '{"access": "%032x", "secret": "%032x"}' % (n, n) if kind == "ec2" else "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}


def _namespace(n: int) -> Row:
    name = f"OS::Compute::Thing{n:02}"
    return {"id": name, "namespace": name, "display_name": "Properties of a thing", "description": "What hosts have",
            "visibility": _cycle(n, "public", "private"), "protected": n % 3 == 2, "owner": PROJECT, "created_at": _moment(n),
            "resource_type_associations": [{"name": "OS::Nova::Flavor", "prefix": "hw_"}],
            "properties": {"hw-colour": {"title": "Colour", "type": "x-string", "enum": ["red", "blue"]}},
            "objects": [], "tags": []}


def _usage(n: int) -> Row:
    return {"instance_id": uid("server", n), "name": f"web-{n:02}", "flavor": "m1.small", "vcpus": 1, "memory_mb": 2048,
            "local_gb": 20, "hours": 12.3456 * n, "state": _cycle(n, "active", "terminated"), "tenant_id": PROJECT,
            "started_at": "2026-11-28T01:00:00.000000", "ended_at": _cycle(n, None, "2026-11-28T11:00:00.000000"),
            "uptime": 36000}


# The path of a list, as a pattern: the list in the answer, one resource in its answer (""; the answer is the resource), a row.
LISTS: dict[str, tuple[str, str, typing.Callable[[int], Row]]] = {
    "/v2.1/servers(/detail)?": ("servers", "server", server),
    "/v2.1/servers/[^/]+/os-volume_attachments": ("volumeAttachments", "volumeAttachment", _attachment),
    "/v2.1/servers/[^/]+/os-security-groups": ("security_groups", "security_group", _of_server_group),
    "/v2.1/servers/[^/]+/os-instance-actions": ("instanceActions", "instanceAction", _action),
    "/v2.1/flavors(/detail)?": ("flavors", "flavor", _flavor),
    "/v2.1/flavors/[^/]+/os-flavor-access": ("flavor_access", "", lambda n: {"flavor_id": "1", "tenant_id": _own(n)}),
    "/v2.1/os-keypairs": ("keypairs", "keypair", lambda n: {"keypair": {
        "name": f"laptop-{n:02}", "type": "ssh", "fingerprint": ":".join(["d4"] * 16), "public_key": "ssh-ed25519 AAAA",
        "created_at": _moment(n), "user_id": "e" * 32, "id": n, "deleted": False}}),
    "/v2.1/os-server-groups": ("server_groups", "server_group", lambda n: _named(
        "server_group", n, "apart", policy="anti-affinity", members=[uid("server", 0)], project_id=PROJECT, rules={})),
    "/v2.1/os-aggregates": ("aggregates", "aggregate", lambda n: _named(
        "aggregate", n, "fast", availability_zone=_cycle(n, None, "east"), hosts=["node1", "node2"], metadata={"ssd": "true"},
        created_at=_moment(n)) | {"id": n + 1}),
    "/v2.1/os-hypervisors(/detail)?": ("hypervisors", "hypervisor", _hypervisor),
    "/v2.1/os-services": ("services", "service", _compute_service),
    "/v2.1/os-migrations": ("migrations", "migration", _migration),
    "/v2.1/os-availability-zone": ("availabilityZoneInfo", "", lambda n: {
        "zoneName": f"zone-{n:02}", "zoneState": {"available": True}, "hosts": None}),
    "/v2/images": ("images", "", image),
    "/v2/images/[^/]+/members": ("members", "", lambda n: {
        "member_id": OTHER, "status": _cycle(n, "pending", "accepted"), "created_at": _moment(n), "image_id": uid("image", 0)}),
    "/v3/volumes(/detail)?": ("volumes", "volume", volume),
    "/v3/snapshots(/detail)?": ("snapshots", "snapshot", lambda n: _named(
        "snapshot", n, "before-upgrade", status=_cycle(n, "available", "creating"), size=20, volume_id=uid("volume", 0),
        created_at=_moment(n), updated_at=_moment(n), metadata={}, user_id="e" * 32) | {
            "os-extended-snapshot-attributes:project_id": _own(n)}),
    "/v3/types/[^/]+/os-volume-type-access": ("volume_type_access", "", lambda n: {"project_id": _own(n)}),
    "/v2/metadefs/namespaces": ("namespaces", "", _namespace),
    "/v2/metadefs/resource_types": ("resource_types", "", lambda n: {"name": f"OS::Nova::Thing{n}"}),
    "/v3/types": ("volume_types", "volume_type", lambda n: _named(
        "type", n, "standard", is_public=True, extra_specs={"volume_backend_name": "lvm"}, qos_specs_id=None)),
    "/v3/os-availability-zone": ("availabilityZoneInfo", "", lambda n: {
        "zoneName": f"zone-{n:02}", "zoneState": {"available": True}}),
    "/v3/os-services": ("services", "service", lambda n: {**_compute_service(n), "binary": "cinder-volume"}),
    "/v2.0/networks": ("networks", "network", network),
    "/v2.0/subnets": ("subnets", "subnet", subnet),
    "/v2.0/ports": ("ports", "port", port),
    "/v2.0/routers": ("routers", "router", router),
    "/v2.0/floatingips": ("floatingips", "floatingip", floating_ip),
    "/v2.0/security-groups": ("security_groups", "security_group", security_group),
    "/v2.0/agents": ("agents", "agent", lambda n: {
        "id": uid("agent", n), "agent_type": _cycle(n, "L3 agent", "DHCP agent"), "host": f"node{n + 1}",
        "admin_state_up": n % 3 != 2,
        "alive": n % 4 != 3, "heartbeat_timestamp": _moment(n), "binary": "neutron-l3-agent", "topic": "l3_agent",
        "configurations": {}, "availability_zone": "nova", "created_at": _moment(n), "started_at": _moment(n)}),
    "/v3/(auth/)?projects": ("projects", "project", _project),
    "/v3/users": ("users", "user", lambda n: _identity("user", "user", email="user@example.org", password_expires_at=None)(n) | (
        {"id": "e" * 32, "name": "eve"} if n == 1 else {})),
    "/v3/groups": ("groups", "group", _identity("group", "group")),
    "/v3/groups/[^/]+/users": ("users", "user", _identity("user", "user")),
    "/v3/users/[^/]+/groups": ("groups", "group", _identity("group", "group")),
    "/v3/roles": ("roles", "role", lambda n: _named("role", n, "role") | ({"name": "member"} if n == 0 else {})),
    "/v3/domains": ("domains", "domain", lambda n: _named("domain", n, "company", enabled=n % 4 != 3, tags=[]) | (
        {"id": "default", "name": "Default"} if n == 1 else {})),
    "/v3/role_assignments": ("role_assignments", "", _assignment),
    "/v3/credentials": ("credentials", "credential", _credential),
    "/v3/OS-FEDERATION/identity_providers": ("identity_providers", "identity_provider", lambda n: {
        "id": f"company-{n:02}", "description": "Logins of the company", "enabled": n % 4 != 3, "domain_id": "default",
        "remote_ids": ["https://sso.example.org/realms/staff"]}),
    "/v3/OS-FEDERATION/identity_providers/[^/]+/protocols": ("protocols", "protocol", lambda n: {
        "id": _cycle(n, "open-id", "saml-2"), "mapping_id": f"staff-{n:02}"}),
    "/v3/OS-FEDERATION/mappings": ("mappings", "mapping", lambda n: {"id": f"staff-{n:02}", "rules": [
        {"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "OIDC-preferred_username"}]}]}),
    "/v3/users/[^/]+/application_credentials": ("application_credentials", "application_credential", lambda n: _named(
        "credential", n, "terraform", project_id=PROJECT, expires_at=_cycle(n, None, "2027-01-31T00:00:00.000000"),
        unrestricted=False, roles=[], secret="s" * 86)),
}
_QUOTA = {"instances": 10, "cores": 20, "ram": 51200, "key_pairs": 100, "server_groups": 10, "server_group_members": 10,
          "metadata_items": 128, "volumes": 10, "gigabytes": 1000, "snapshots": 10, "per_volume_gigabytes": -1}
_NETWORK_QUOTA = {"network": 100, "subnet": 100, "port": 500, "router": 10, "floatingip": 50, "security_group": 10,
                  "security_group_rule": -1}
_LIMITS = {"totalInstancesUsed": 7, "maxTotalInstances": 10, "totalCoresUsed": 20, "maxTotalCores": 20, "totalRAMUsed": 14336,
           "maxTotalRAMSize": 51200, "totalServerGroupsUsed": 0, "maxServerGroups": 10, "totalVolumesUsed": 3,
           "maxTotalVolumes": 10, "totalSnapshotsUsed": 1, "maxTotalSnapshots": -1, "totalGigabytesUsed": 521,
           "maxTotalVolumeGigabytes": 1000}
# Answers that are no lists.
OTHERS: dict[str, Row] = {
    "/v2.1/limits|/v3/limits": {"limits": {"absolute": _LIMITS, "rate": []}},
    "/v2.1/os-quota-sets/[^/]+/detail": {"quota_set": {name: {"in_use": 3, "limit": most, "reserved": 0}
                                                       for name, most in _QUOTA.items()}},
    "/v2.1/os-quota-class-sets/default": {"quota_class_set": {**_QUOTA, "id": "default"}},
    "/v2.1/servers/[^/]+/os-server-password": {"password": "b64+" * 86},
    "/v2.1/os-simple-tenant-usage/[^/]+": {"tenant_usage": {
        "server_usages": [_usage(n) for n in range(3)], "tenant_id": PROJECT, "total_hours": 37.0, "total_vcpus_usage": 37.0,
        "total_memory_mb_usage": 75851.4, "total_local_gb_usage": 740.7, "start": "2026-11-01T00:00:00.000000",
        "stop": "2026-11-28T11:00:00.000000"}},
    "/v2.1/os-quota-sets/.*|/v3/os-quota-sets/.*": {"quota_set": {**_QUOTA, "id": PROJECT}},
    "/v2.0/quotas/[^/]+/details": {"quota": {name: {"used": 3, "limit": most, "reserved": 0}
                                             for name, most in _NETWORK_QUOTA.items()}},
    "/v2.0/quotas/[^/]+": {"quota": _NETWORK_QUOTA},
    "/v3/auth/catalog": {"catalog": [{"type": type, "name": name, "id": name, "endpoints": [
        {"id": name, "interface": "public", "region": "RegionOne", "region_id": "RegionOne",
         "url": f"https://cloud.example/{type}"}]}
        for type, name in (("identity", "keystone"), ("compute", "nova"), ("network", "neutron"), ("image", "glance"))]},
}
_USED = [{"instance_id": f"{n:032x}", "name": f"web-{n}", "flavor": "small", "vcpus": n, "memory_mb": 2048 * n, "local_gb": 20,
          "hours": 40.5 * n, "started_at": f"{datetime.datetime.now() - datetime.timedelta(days=n):%Y-%m-%dT%H:%M:%S.%f}",
          "ended_at": None, "state": "active", "uptime": 3600, "tenant_id": PROJECT} for n in range(1, 6)]
_USAGE = {"tenant_id": PROJECT, "server_usages": _USED, "total_vcpus_usage": 812.5, "total_memory_mb_usage": 81920.0,
          "total_local_gb_usage": 1200.0, "total_hours": 600.25}
_NIC = {"mac_address": "fa:16:3e:00:00:01", **dict.fromkeys(("rx_octets", "rx_packets", "rx_drop", "tx_octets", "tx_packets",
                                                              "tx_drop"), 123456)}
OTHERS |= {
    "/v2.1/os-simple-tenant-usage/[^/]+": {"tenant_usage": _USAGE},
    "/v2.1/os-simple-tenant-usage": {"tenant_usages": [_USAGE]},
    "/v2.1/servers/[^/]+/diagnostics": {
        "uptime": 123456, "num_cpus": 2, "memory_details": {"maximum": 2048, "used": 1024}, "nic_details": [_NIC],
        "cpu_details": [{"id": n, "time": 12_345_678_900} for n in range(2)], "disk_details": [dict.fromkeys((
            "read_bytes", "read_requests", "write_bytes", "write_requests", "errors_count"), 123456)]}}
_LOG = "\n".join(f"[    {n}.123456] systemd[1]: Started service-{n}.service - A service with a rather long description." for n in
                 range(60))
# What actions of a resource answer.
DONE: Row = {"output": _LOG, "remote_console": {"url": "http://127.0.0.1:6080/vnc.html?token=1", "protocol": "vnc",
                                                "type": "novnc"},
             "console": {"url": "http://127.0.0.1:6080/"}}


@dataclasses.dataclass
class SampleApis(Apis):
    """:param rows: of each list
    :param changed: (answer) -> what is answered instead, or raised
    """

    rows: int = 25
    changed: typing.Callable[[typing.Any], typing.Any] = lambda answer: answer

    def __post_init__(self):
        super().__init__()

    def request(self, method, service, where, *, body=None, **more):
        try:
            super().request(method, service, where, body=body, **more)
        except errors.NotFound:
            pass
        path, _, query = str(where).partition("?")
        answer = self.changed(self._answer(method, path, dict(urllib.parse.parse_qsl(query))))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _answer(self, method: str, path: str, query: dict[str, str]):
        for pattern, answer in OTHERS.items():
            if re.fullmatch(pattern, path):
                return answer
        for pattern, (many, one, row) in LISTS.items():
            if re.fullmatch(pattern, path):
                if method == "POST":
                    made = row(0)
                    return made if not one else {one: made.get(one, made)}
                count = min(self.rows, int(query.get("limit", self.rows)))
                return {many: [row(n) for n in range(count)]}
        for pattern, (_, one, row) in LISTS.items():
            found = re.fullmatch(f"{pattern}/(?P<id>[^/]+)", path)
            if found:
                made = next((made for made in map(row, range(25)) if found["id"] in (made.get("id"), made.get("name"))), row(0))
                return made if not one else {one: made.get(one, made)}
        return DONE if method != "GET" else errors.NotFound(f"The sample has nothing at {path}.")


class SampleDashboard(Dashboard):
    """The dashboard on a cloud of samples."""

    def __init__(self, **more):
        super().__init__({})
        self.apis = self.service.rest = SampleApis(**more)


def first(panel) -> str:
    """The id of a resource that a panel's page of one can show."""
    for pattern, (_, _, row) in LISTS.items():
        if re.fullmatch(pattern, str(panel.source.where({}, *(("e" * 32,) if panel.source.of_user else ()))).partition("?")[0]):
            return panel.id_of(panel.source.row(row(0)))
    raise AssertionError(f"tests/dashboard/sample.py has no list for {panel.path}")


def _target(panel, action, id: str) -> str:
    """The first row of the tab that an action of such rows is for."""
    apis = SampleApis()

    def asked(ask):
        answer = apis.request("GET", ask.service, ask.where)
        return answer[ask.key] if ask.key else answer
    for tab in panel.tabs:
        for table in tab.tables:
            if action.verb in table.actions:
                found = {name: asked(ask) for name, ask in tab.asks(None, id).items()}
                return str(table.target_of(table.rows(found, panel.source.row(asked(panel.item(None, id))))[0]))
    return ""


def pages(panel) -> typing.Iterator[str]:
    """Every page of a panel: its list, its forms, the tabs and the dialogs of one resource."""
    yield f"{panel.path}/"
    if panel.create:
        yield f"{panel.path}/{panel.create.segment}/"
    if panel.item:
        own = f"{panel.path}/{segment(first(panel))}"
        yield from (f"{own}/?tab={tab.name}" for tab in panel.tabs)
        if any(tab.template == "steps.html" for tab in panel.tabs):
            yield f"{own}/?tab=actions&request=req-1"
        yield from (f"{own}/{action.verb}/?target={segment(_target(panel, action, first(panel)))}" for action in panel.actions
                    if not action.opens)


def mapped(answer, change: typing.Callable[[str, str], str], key: str = ""):
    """An answer with other texts. ``change``: (member of the answer, its text) -> text"""
    if isinstance(answer, dict):
        return {k: mapped(v, change, k) for k, v in answer.items()}
    if isinstance(answer, list):
        return [mapped(v, change, key) for v in answer]
    return change(key, answer) if isinstance(answer, str) else answer
