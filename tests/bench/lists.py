"""What lists cost of CPU, one service after the other, and beside another checkout of the project.

    python -m tests.bench.lists [--against DIRECTORY] [--items 100] [--rounds 15] [--only compute]

Each checkout serves from a process of its own: its real applications over SQLite, without sockets. They take turns, and CPU
time is counted, so that what else the machine does matters little. Prints for each request the CPU time (the least and the
median of the rounds), the median of the time that passed, and SQL statements; beside another checkout also the ratios of the
least and the median. Nothing here is a test.

This file runs with the code of both checkouts, so what is theirs is imported by the child only, within functions.
"""

import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import typing

PROJECT, USER = "a" * 32, "b" * 32
ADMIN, READER = ("admin", "manager", "member", "reader"), ("member", "reader")


class Ask(typing.NamedTuple):
    """A request: of which service, by whom, in which microversion ("": the oldest)."""

    service: str
    path: str
    roles: tuple = READER
    version: str = ""

    @property
    def title(self) -> str:
        path = self.path.replace(ONE, "ID").replace(PROJECT, "PROJECT")
        return f"{self.service} {path} {self.roles[0]} {self.version}".strip()


ONE = "00000000-0000-4000-8000-000000000001"
ASKS = [
    *(Ask("compute", "/v2.1/servers/detail", roles, version) for roles in (ADMIN, READER) for version in ("", "2.85")),
    Ask("compute", "/v2.1/servers"),
    *(Ask("compute", f"/v2.1/servers/{ONE}", *who) for who in ((READER, ""), (ADMIN, "2.85"))),
    *(Ask("network", f"/v2.0/{noun}", roles) for roles in (ADMIN, READER) for noun in ("ports", "networks")),
    Ask("network", f"/v2.0/ports/{ONE}"),
    Ask("volume", f"/v3/{PROJECT}/volumes/detail"), Ask("volume", f"/v3/{PROJECT}/volumes/detail", ADMIN, "3.67"),
    Ask("volume", f"/v3/{PROJECT}/volumes"), Ask("image", "/v2/images?limit=100"), Ask("image", "/v2/images?limit=100", ADMIN)]


def uuid(n: int) -> str:
    return f"00000000-0000-4000-8000-{n:012d}"


def _rows(table, count: int, values: typing.Callable[[int], dict]) -> list[dict]:
    """Rows of a table as this checkout has it: what ``values`` does not say and must be there is empty."""
    import sqlalchemy as sa
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    empty = {sa.DateTime: now, sa.JSON: {}, sa.Boolean: False, sa.Integer: 0, sa.Float: 0.0, sa.String: ""}

    def needed(column):
        if column.nullable or column.server_default is not None or column.autoincrement is True:
            return {}
        return {column.name: next(v for kind, v in empty.items() if isinstance(column.type, kind))}
    blank = {name: value for column in table.c for name, value in needed(column).items()}
    return [{**blank, **{k: v for k, v in values(n).items() if k in table.c}} for n in range(1, count + 1)]


def _compute(models, count: int) -> dict:
    flavor = {"id": "1", "name": "m1.small", "vcpus": 1, "ram": 2048, "disk": 20, "ephemeral": 0, "swap": 0, "rxtx_factor": 1.0,
              "extra_specs": {"hw:cpu_policy": "shared", "quota:disk_total_iops_sec": "500"}, "is_public": True}

    def server(n: int) -> dict:
        return {
            "uuid": uuid(n), "project_id": PROJECT, "user_id": USER, "display_name": f"server-{n}", "hostname": f"server-{n}",
            "image_ref": uuid(999), "flavor": flavor, "vcpus": 1, "memory_mb": 2048, "disk_gb": 20, "vm_state": "active",
            "power_state": 1, "host": f"host-{n % 5}", "availability_zone": "nova", "key_name": "key", "key_data": "ssh-rsa A",
            "user_data": "I2Nsb3VkLWNvbmZpZwo=" * 20, "metadata": {"role": "web", "owner": f"team-{n % 7}"},
            "image_meta": {"name": "debian", "disk_format": "qcow2", "properties": {"os_distro": "debian"}},
            "security_groups": [{"name": "default", "id": uuid(7)}, {"name": "web", "id": uuid(8)}],
            "requested_networks": [{"uuid": uuid(5)}], "network_info": [{
                "id": uuid(n), "network_id": uuid(5), "network_name": "private", "mac_address": f"fa:16:3e:00:00:{n % 256:02x}",
                "mtu": 1450, "fixed_ips": [{"ip_address": f"10.0.{n // 250}.{n % 250}", "subnet_id": uuid(6)}],
                "floating_ips": [{"floating": f"172.24.{n // 250}.{n % 250}", "fixed": f"10.0.{n // 250}.{n % 250}"}]}],
            "tags": ["web", "blue"], "tried_hosts": [], "root_device_name": "/dev/vda", "disk_config": "AUTO",
            "reservation_id": "r-1", "request_id": f"req-{uuid(n)}"}
    return {models.instances: _rows(models.instances, count, server),
            models.block_devices: _rows(models.block_devices, count, lambda n: {
                "id": uuid(n), "instance_uuid": uuid(n), "device_name": "/dev/vdb", "volume_id": uuid(n)}),
            models.services: _rows(models.services, 5, lambda n: {
                "id": uuid(n), "binary": "nova-compute", "host": f"host-{n - 1}", "zone": "nova"}),
            models.compute_nodes: _rows(models.compute_nodes, 5, lambda n: {
                "id": uuid(n), "host": f"host-{n - 1}", "hypervisor_hostname": f"host-{n - 1}"})}


def _network(models, count: int) -> dict:
    own = {"project_id": PROJECT, "status": "ACTIVE", "admin_state_up": True, "port_security_enabled": True}
    return {
        models.networks: _rows(models.networks, count, lambda n: {
            **own, "id": uuid(n), "name": f"net-{n}", "mtu": 1450, "provider_network_type": "vxlan",
            "provider_segmentation_id": n, "provider_segment": f"vxlan::{n}"}),
        models.subnets: _rows(models.subnets, count, lambda n: {
            **own, "id": uuid(n), "name": f"subnet-{n}", "network_id": uuid(n), "ip_version": 4, "cidr": "10.0.0.0/16",
            "gateway_ip": "10.0.0.1", "enable_dhcp": True, "dns_nameservers": [], "host_routes": [],
            "allocation_pools": [{"start": "10.0.0.2", "end": "10.0.255.254"}]}),
        models.security_groups: _rows(models.security_groups, 2, lambda n: {**own, "id": uuid(n), "name": f"group-{n}"}),
        models.ports: _rows(models.ports, count, lambda n: {
            **own, "id": uuid(n), "name": f"port-{n}", "network_id": uuid(1), "device_id": uuid(n),
            "mac_address": f"fa:16:3e:00:{n // 256:02x}:{n % 256:02x}", "device_owner": "compute:nova",
            "relation": "compute", "binding_host_id": f"host-{n % 5}",
            "binding_vnic_type": "normal", "binding_vif_type": "bridge", "allowed_address_pairs": [], "extra_dhcp_opts": []}),
        models.ip_allocations: _rows(models.ip_allocations, count, lambda n: {
            "subnet_id": uuid(1), "ip_address": f"10.0.{n // 250}.{n % 250}", "port_id": uuid(n)}),
        models.port_security_groups: _rows(models.port_security_groups, count, lambda n: {
            "port_id": uuid(n), "security_group_id": uuid(1)})}


def _volume(models, count: int) -> dict:
    return {
        models.volume_types: _rows(models.volume_types, 1, lambda n: {"id": uuid(n), "name": "fast", "is_public": True}),
        models.volumes: _rows(models.volumes, count, lambda n: {
            "id": uuid(n), "name": f"volume-{n}", "project_id": PROJECT, "user_id": USER, "size": 1, "status": "in-use",
            "availability_zone": "nova", "volume_type_id": uuid(1), "host": "host-1", "metadata": {"team": "web"},
            "request_id": f"req-{uuid(n)}"}),
        models.attachments: _rows(models.attachments, count, lambda n: {
            "id": uuid(n), "volume_id": uuid(n), "project_id": PROJECT, "instance_uuid": uuid(n), "attach_status": "attached",
            "mountpoint": "/dev/vdb", "attached_host": "host-1", "attach_mode": "rw"})}


def _image(models, count: int) -> dict:
    return {models.images: _rows(models.images, count, lambda n: {
        "id": uuid(n), "name": f"image-{n}", "status": "active", "visibility": "private", "owner": PROJECT, "size": 1000,
        "disk_format": "qcow2", "container_format": "bare", "checksum": "0" * 32, "os_hash_algo": "sha512",
        "os_hash_value": "0" * 128, "properties": {"os_distro": "debian", "hw_disk_bus": "virtio"}, "tags": ["base"]})}


SERVICES = {"compute": ("compute_api.service:ComputeApi", "conductor.db", _compute),
            "network": ("network.service:NetworkApi", "network.db", _network),
            "volume": ("volume.service:VolumeApi", "volume.db", _volume),
            "image": ("image.service:ImageApi", "image.db", _image)}


class Served:
    """The applications of one checkout, filled, and callers of them."""

    def __init__(self, state: str, items: int, names: list[str]):
        from cryptography.hazmat.primitives.asymmetric import ec
        self.key, self.statements = ec.generate_private_key(ec.SECP256R1()), 0
        self.apps = {name: self._app(name, state, items) for name in names}
        self.tokens = {roles: self._token(roles) for roles in (ADMIN, READER)}

    def _app(self, name: str, state: str, items: int):
        import importlib

        import sqlalchemy as sa

        from common import log, migrate
        from common.service import default_url
        where, package, rows = SERVICES[name]
        module, _, kind = where.partition(":")
        url = default_url(state, name)
        migrate.sync(package, url)
        service = getattr(importlib.import_module(module), kind).load(state, {"log_file": f"{state}/log"})
        log.setup(service.name, service.conf)
        service.verifier.keys["k"] = self.key.public_key()
        service.pull.silent = lambda limit: False
        with service.db.writer() as connection:
            for table, values in rows(importlib.import_module(f"{package}.models"), items).items():
                connection.execute(sa.delete(table))
                connection.execute(sa.insert(table), values)

        def count(*args):
            self.statements += 1
        sa.event.listen(service.db.engine, "before_cursor_execute", count)
        return service.wsgi_app(name)

    def _token(self, roles: tuple) -> str:
        import dataclasses
        import time

        from common import tokens
        from common.context import Context
        now = int(time.time())
        values: dict[str, typing.Any] = {
            "user_id": USER, "user_name": "u", "user_domain_id": "default", "user_domain_name": "Default",
            "project_id": PROJECT, "project_name": "p", "project_domain_id": "default", "project_domain_name": "Default",
            "roles": roles, "audit_ids": ("x",), "methods": ("password",), "issued_at": now, "expires_at": now + 36000}
        known = {f.name for f in dataclasses.fields(Context)}
        return tokens.sign(Context(**{k: v for k, v in values.items() if k in known}), self.key, "k")

    def answer(self, ask: Ask):
        import webob
        headers = {"X-Auth-Token": self.tokens[ask.roles]}
        if ask.version:
            headers["OpenStack-API-Version"] = f"{ask.service} {ask.version}"
        return webob.Request.blank(ask.path, headers=headers).get_response(self.apps[ask.service])


def serve(state: str, items: int) -> None:
    """A child: reads the names of services, then for each line, [number of times, *Ask], writes {"cpu", "passed", "sql"}: of
    one answer, the first two in milliseconds."""
    import eventlet
    eventlet.monkey_patch()
    import gc
    import time
    served = Served(state, items, json.loads(sys.stdin.readline()))
    gc.collect()
    gc.freeze()  # as daemons do
    while line := sys.stdin.readline():
        times, service, path, roles, version = json.loads(line)
        ask, before = Ask(service, path, tuple(roles), version), served.statements
        began = time.process_time(), time.perf_counter()
        for _ in range(times):
            response = served.answer(ask)
        cpu, passed = time.process_time() - began[0], time.perf_counter() - began[1]
        assert response.status_int == 200, response.text[:500]
        print(json.dumps({"cpu": cpu * 1000 / times, "passed": passed * 1000 / times,
                          "sql": (served.statements - before) / times}), flush=True)


class Child:
    """The code of a checkout in a process of its own."""

    def __init__(self, checkout: pathlib.Path, state: str, items: int, names: set[str]):
        words = [sys.executable, "-W", "ignore", "-P", __file__, "--serve", state, "--items", str(items)]
        self.process = subprocess.Popen(words, cwd=checkout, env={**os.environ, "PYTHONPATH": str(checkout)}, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._send(sorted(names))

    def _send(self, what) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def ask(self, ask: Ask, times: int) -> dict:
        self._send([times, *ask])
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def measure(ask: Ask, children: list[Child], rounds: int, times: int) -> list[dict]:
    """{"least", "median", "passed", "sql"} of each child."""
    for child in children:
        child.ask(ask, 3)
    found: list[list[dict]] = [[] for _ in children]
    for _ in range(rounds):
        for child, results in zip(children, found):
            results.append(child.ask(ask, times))
    return [{"least": min(r["cpu"] for r in results), "median": statistics.median(r["cpu"] for r in results),
             "passed": statistics.median(r["passed"] for r in results), "sql": results[0]["sql"]} for results in found]


def compare(asks: list[Ask], checkouts: list[pathlib.Path], args: argparse.Namespace, home: str) -> None:
    services = {ask.service for ask in asks}
    children = [Child(checkout, f"{home}/{i}", args.items, services) for i, checkout in enumerate(checkouts)]
    print(f"{'ms of CPU, least and median; ms that passed; SQL':52}" + "".join(f"{c.name:>34}" for c in checkouts))
    for ask in asks:
        found = measure(ask, children, args.rounds, args.times)
        columns = [f"{f['least']:11.2f}{f['median']:8.2f}{f['passed']:8.2f}{f['sql']:7.1f}" for f in found]
        ratios = [f"{found[0][k] / found[1][k]:8.2f}" for k in ("least", "median") if len(found) > 1]
        print(f"{ask.title:52}" + "".join(columns + ratios), flush=True)
    for child in children:
        child.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=pathlib.Path, help="another checkout of the project")
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--times", type=int, default=4, help="requests a round")
    parser.add_argument("--only", default="", help="requests whose title has this")
    parser.add_argument("--serve", metavar="STATE", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        return serve(args.serve, args.items)
    asks = [ask for ask in ASKS if args.only in ask.title]
    checkouts = [pathlib.Path(__file__).resolve().parents[2], *([args.against.resolve()] if args.against else [])]
    with tempfile.TemporaryDirectory() as home:
        compare(asks, checkouts, args, home)


if __name__ == "__main__":
    main()
