"""A program as users of libcloud write it, with the driver that they get by default. Runs in libcloud's environment.

    OS_AUTH_URL=… OS_USERNAME=… OS_PASSWORD=… OS_PROJECT_NAME=… python with_libcloud.py present|absent IMAGE FLAVOR NETWORK
"""

import os
import sys
import time
import urllib.parse

from libcloud.compute.providers import get_driver
from libcloud.compute.types import NodeState, Provider, StorageVolumeState

NAME = "libcloud"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5nI1qJbqj1nBmDZc1xU7kbBQvS3eY7X0bT2W4VpX9c someone@example.org"


def connect():
    """The driver, with the credentials of the OS_* variables."""
    auth = urllib.parse.urlsplit(os.environ["OS_AUTH_URL"])
    return get_driver(Provider.OPENSTACK)(
        os.environ["OS_USERNAME"], os.environ["OS_PASSWORD"], ex_force_auth_url=f"{auth.scheme}://{auth.netloc}",
        ex_force_auth_version="3.x_password", ex_tenant_name=os.environ["OS_PROJECT_NAME"], secure=False,
        ex_force_service_region=os.environ["OS_REGION_NAME"])


def named(rows, name: str = NAME):
    """The row of this name, or None."""
    return next((row for row in rows if row.name == name), None)


def until(condition, what: str):
    """Wait for ``condition``; returns its value. :raises TimeoutError: with ``what``, after 60 s"""
    deadline = time.monotonic() + 60
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.2)
    return found


def present(driver, image: str, flavor: str, network: str) -> None:
    """Repeatable."""
    if not named(driver.list_key_pairs()):
        driver.import_key_pair_from_string(NAME, KEY)
    group = named(driver.ex_list_security_groups()) or driver.ex_create_security_group(NAME, "of a program")
    if not any(rule.from_port == 80 for rule in named(driver.ex_list_security_groups()).rules):
        driver.ex_create_security_group_rule(group, "tcp", 80, 80, "0.0.0.0/0")
    node = named(driver.list_nodes()) or driver.create_node(
        NAME, named(driver.list_sizes(), flavor), named(driver.list_images(), image), ex_keyname=NAME,
        networks=[named(driver.ex_list_networks(), network)], ex_security_groups=[group], ex_metadata={"part": "web"},
        ex_userdata="#!/bin/sh\n")
    until(lambda: driver.ex_get_node_details(node.id).state == NodeState.RUNNING, "the node to run")
    driver.ex_set_metadata(node, {"part": "web"})
    driver.ex_set_server_name(node, NAME)
    volume = named(driver.list_volumes()) or driver.create_volume(1, NAME)
    until(lambda: driver.ex_get_volume(volume.id).state != StorageVolumeState.CREATING, "the volume")
    if not driver.list_volume_snapshots(volume):
        snapshot = driver.create_volume_snapshot(volume, NAME, "of a program")
        until(lambda: driver.ex_get_snapshot(snapshot.id).extra["status"] == "available", "the snapshot")
    if not driver.ex_get_volume(volume.id).extra["attachments"]:
        driver.attach_volume(node, volume)
        until(lambda: driver.ex_get_volume(volume.id).state == StorageVolumeState.INUSE, "the volume to be attached")
    if not any(ip.node_id == node.id for ip in driver.ex_list_floating_ips()):
        pool, = driver.ex_list_floating_ip_pools()
        driver.ex_attach_floating_ip_to_node(node, pool.create_floating_ip())


def absent(driver) -> None:
    """Remove everything."""
    node, volume = named(driver.list_nodes()), named(driver.list_volumes())
    for ip in driver.ex_list_floating_ips():
        if ip.node_id == node.id:
            driver.ex_detach_floating_ip_from_node(node, ip)
            driver.ex_delete_floating_ip(ip)
    for snapshot in driver.list_volume_snapshots(volume):
        driver.destroy_volume_snapshot(snapshot)
    driver.detach_volume(driver.ex_get_volume(volume.id), node)
    until(lambda: driver.ex_get_volume(volume.id).state == StorageVolumeState.AVAILABLE, "the volume to be free")
    until(lambda: not driver.list_volume_snapshots(volume), "the snapshot to go")
    driver.destroy_volume(volume)
    driver.destroy_node(node)
    until(lambda: not named(driver.list_nodes()) and not named(driver.list_volumes()), "the node and the volume to go")
    driver.ex_delete_security_group(named(driver.ex_list_security_groups()))
    driver.delete_key_pair(named(driver.list_key_pairs()))


if __name__ == "__main__":
    if sys.argv[1] == "present":
        present(connect(), *sys.argv[2:])
    else:
        absent(connect())
