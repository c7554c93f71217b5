"""A program as users of openstacksdk's cloud layer write it: it creates what is missing and updates what exists."""

import pathlib

import openstack
from openstack.connection import Connection

from deploy.first import Cloud
from tests.secondruns import listing

PROJECT = "sdk-project"


def connect(environment: dict[str, str], project: str | None = None) -> Connection:
    """:param environment: OS_* variables of an administrator
    :param project: name of a project in the default domain, instead of the administrator's own
    """
    return openstack.connect(
        load_envvars=False, load_yaml_config=False, region_name=environment["OS_REGION_NAME"], auth={
            "auth_url": environment["OS_AUTH_URL"], "username": environment["OS_USERNAME"],
            "password": environment["OS_PASSWORD"], "project_name": project or environment["OS_PROJECT_NAME"],
            "user_domain_name": "Default", "project_domain_name": "Default"})


def present(environment: dict[str, str], image: tuple[pathlib.Path, str]) -> None:
    """Repeatable.

    :param image: (path of an image file, its disk format)
    """
    admin = connect(environment)
    _identity(admin, environment["OS_USERNAME"])
    _operators_part(admin)
    conn = connect(environment, PROJECT)
    _networks(conn)
    _server(conn, image)


def _identity(admin: Connection, username: str) -> None:
    domain = admin.get_domain(name_or_id="sdk-domain") or admin.create_domain("sdk-domain", "of a program")
    admin.update_domain(domain.id, description="of a program")
    project = admin.get_project(PROJECT) or admin.create_project(PROJECT, "default", "of a program", cost_centre="77")
    admin.update_project(PROJECT, description="of a program", cost_centre="77")
    admin.get_user("sdk-user") or admin.create_user(
        name="sdk-user", password="of a program", email="sdk@example.org", domain_id="default", default_project=project.id,
        description="of a program")
    admin.update_user("sdk-user", email="sdk@example.org", description="of a program")
    group = admin.get_group("sdk-group") or admin.create_group("sdk-group", "of a program", domain="default")
    admin.update_group("sdk-group", description="of a program")
    if not admin.is_user_in_group("sdk-user", "sdk-group"):
        admin.add_user_to_group("sdk-user", "sdk-group")
    admin.get_role("sdk-role") or admin.create_role("sdk-role")
    admin.update_role("sdk-role", "sdk-role")
    admin.grant_role("sdk-role", user="sdk-user", project=PROJECT)
    admin.grant_role("sdk-role", group=group.id, domain=domain.id, inherited=True)
    admin.grant_role("admin", user=username, project=PROJECT)
    service = admin.get_service("sdk-service") or admin.create_service("sdk-service", type="sdk-type", description="of a program")
    admin.update_service("sdk-service", type="sdk-type", description="of a program")
    endpoints = admin.search_endpoints(filters={"service_id": service.id}) or admin.create_endpoint(
        "sdk-service", url="http://192.0.2.1/", interface="public", region="RegionOne")
    admin.update_endpoint(endpoints[0].id, url="http://192.0.2.1/")


def _operators_part(admin: Connection) -> None:
    project = admin.get_project(PROJECT)
    flavor = admin.get_flavor("sdk-flavor") or admin.create_flavor("sdk-flavor", 64, 1, 1, "of a program", is_public=False)
    admin.set_flavor_specs(flavor.id, {"trait:kind": "small"})
    if project.id not in [access["tenant_id"] for access in admin.list_flavor_access(flavor.id)]:
        admin.add_flavor_access(flavor.id, project.id)
    admin.set_compute_quotas(PROJECT, cores=8, instances=4)
    admin.set_volume_quotas(PROJECT, volumes=9, gigabytes=90)
    admin.set_network_quotas(PROJECT, network=6, port=40, security_group=8)


def _networks(conn: Connection) -> None:
    network = conn.get_network("sdk-network") or conn.create_network("sdk-network", mtu_size=1400, port_security_enabled=True)
    conn.update_network("sdk-network", mtu_size=1400, admin_state_up=True)
    pools = [{"start": "10.76.1.100", "end": "10.76.1.200"}, {"start": "10.76.1.10", "end": "10.76.1.50"}]
    routes = [{"destination": "198.51.100.0/24", "nexthop": "10.76.1.2"}]
    subnet = conn.get_subnet("sdk-subnet") or conn.create_subnet(
        "sdk-network", "10.76.1.0/24", enable_dhcp=True, subnet_name="sdk-subnet", allocation_pools=pools,
        dns_nameservers=["192.0.2.54", "192.0.2.53"], host_routes=routes)
    conn.update_subnet("sdk-subnet", enable_dhcp=True, gateway_ip="10.76.1.1", allocation_pools=pools,
                       dns_nameservers=["192.0.2.54", "192.0.2.53"], host_routes=routes)
    outside = conn.get_network("public").id
    router = conn.get_router("sdk-router") or conn.create_router("sdk-router", ext_gateway_net_id=outside, enable_snat=True)
    if not list(conn.list_router_interfaces(router, "internal")):
        conn.add_router_interface(router, subnet_id=subnet.id)
    extra = [{"destination": "203.0.113.0/24", "nexthop": "10.76.1.30"}]
    conn.update_router("sdk-router", ext_gateway_net_id=outside, enable_snat=True, routes=extra)
    group = conn.get_security_group("sdk-web") or conn.create_security_group("sdk-web", "of a program")
    conn.update_security_group("sdk-web", description="of a program")
    if not any(rule["port_range_min"] == 80 for rule in conn.get_security_group("sdk-web").security_group_rules):
        conn.create_security_group_rule("sdk-web", 80, 80, "tcp", "0.0.0.0/0", description="the web")
    pairs = [{"ip_address": "10.76.1.99", "mac_address": "fa:16:3e:76:76:76"}]
    ips = [{"subnet_id": subnet.id, "ip_address": "10.76.1.20"}]
    options = [{"opt_name": "domain-search", "opt_value": "example.org", "ip_version": 4}]
    conn.get_port("sdk-port") or conn.create_port(
        network.id, name="sdk-port", fixed_ips=ips, security_groups=[group.id], allowed_address_pairs=pairs,
        extra_dhcp_opts=options)
    conn.update_port("sdk-port", name="sdk-port", admin_state_up=True, fixed_ips=ips, security_groups=[group.id],
                     allowed_address_pairs=pairs, extra_dhcp_opts=options)


def _server(conn: Connection, image: tuple[pathlib.Path, str]) -> None:
    made = conn.get_image("sdk-image") or conn.create_image(
        "sdk-image", str(image[0]), disk_format=image[1], container_format="bare", wait=True, tags=["blue"], min_disk=1,
        os_distro="none")
    conn.update_image_properties(made, os_distro="none", min_ram=0)
    conn.get_keypair("sdk-key") or conn.create_keypair("sdk-key")
    group = conn.get_server_group("sdk-servers") or conn.create_server_group("sdk-servers", policy="soft-anti-affinity")
    volume = conn.get_volume("sdk-volume") or conn.create_volume(1, name="sdk-volume", metadata={"part": "data"}, timeout=60)
    conn.update_volume("sdk-volume", name="sdk-volume", description="of a program", metadata={"part": "data"})
    conn.get_volume_snapshot("sdk-snapshot") or conn.create_volume_snapshot(volume.id, force=True, name="sdk-snapshot")
    server = conn.get_server("sdk-server", bare=True) or conn.create_server(
        "sdk-server", made, "sdk-flavor", auto_ip=False, wait=True, key_name="sdk-key", group=group,
        nics=[{"port-id": conn.get_port("sdk-port").id}], meta={"part": "web"}, userdata="#!/bin/sh\n",
        description="of a program")
    conn.update_server("sdk-server", name="sdk-server", description="of a program")
    conn.set_server_metadata("sdk-server", {"part": "web"})
    conn.add_server_security_groups(server, ["sdk-web"])
    if not conn.get_volume("sdk-volume").attachments:
        conn.attach_volume(server, conn.get_volume("sdk-volume"), timeout=60)
    if not conn.search_floating_ips(filters={"port_id": conn.get_port("sdk-port").id}):
        conn.create_floating_ip("public", server, wait=True)


def absent(environment: dict[str, str]) -> None:
    """Remove everything."""
    conn, admin = connect(environment, PROJECT), connect(environment)
    server, volume = conn.get_server("sdk-server"), conn.get_volume("sdk-volume")
    conn.delete_volume_snapshot("sdk-snapshot", wait=True)
    conn.detach_volume(server, volume, timeout=60)
    conn.delete_server("sdk-server", wait=True, delete_ips=True)
    conn.delete_volume("sdk-volume", wait=True)
    conn.delete_server_group("sdk-servers")
    conn.delete_keypair("sdk-key")
    conn.delete_image("sdk-image", wait=True)
    conn.delete_port("sdk-port")
    conn.update_router("sdk-router", routes=[])
    conn.remove_router_interface(conn.get_router("sdk-router"), subnet_id=conn.get_subnet("sdk-subnet").id)
    conn.delete_router("sdk-router")
    conn.delete_subnet("sdk-subnet")
    conn.delete_network("sdk-network")
    project = admin.get_project(PROJECT)
    conn.delete_security_group("sdk-web")
    # As in Neutron, it is not deleted with the project. An administrator sees the default groups of all projects.
    conn.delete_security_group(conn.get_security_group("default", filters={"project_id": project.id}).id)
    for forget in (admin.delete_compute_quotas, admin.delete_volume_quotas, admin.delete_network_quotas):
        forget(PROJECT)
    flavor = admin.get_flavor("sdk-flavor")
    admin.remove_flavor_access(flavor.id, project.id)
    admin.unset_flavor_specs(flavor.id, ["trait:kind"])
    admin.delete_flavor("sdk-flavor")
    admin.delete_service("sdk-service")  # and its endpoints
    admin.revoke_role("sdk-role", user="sdk-user", project=PROJECT)
    admin.remove_user_from_group("sdk-user", "sdk-group")
    admin.delete_group("sdk-group")
    admin.delete_user("sdk-user")
    admin.delete_role("sdk-role")
    admin.delete_project(PROJECT)
    admin.delete_domain(name_or_id="sdk-domain")


def three_runs(client: Cloud, environment: dict[str, str], image: tuple[pathlib.Path, str]) -> None:
    """Create everything, do so again, and remove everything."""
    before = listing.everything(client)
    present(environment, image)
    made = listing.everything(client)
    assert len(made) - len(before) >= 31, "the listing does not see what was made"
    present(environment, image)
    listing.assert_same(made, listing.everything(client))
    absent(environment)
    listing.assert_same(before, listing.everything(client))
