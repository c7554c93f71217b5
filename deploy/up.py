"""Implements deploy/up, after its packages are installed, and ``pileus up``."""

import argparse
import concurrent.futures
import dataclasses
import ipaddress
import os
import pathlib
import socket
import subprocess
import sys
import time
import typing

from common import conf, files, manage
from common.periodic import wait_for
from deploy import broker, first, host, hypervisor, lab, man, options, ports, prepare, settings, statedir, supervisor
from deploy.daemons import DAEMONS, METRICS_PORT, PORTS

EXTERNAL = "172.24.4.0/24"
GATEWAY = "172.24.4.1"
POOL = ("172.24.4.10", "172.24.4.250")
UNIT = """[Unit]
Description=Pileus cloud
After=network-online.target rabbitmq-server.service libvirtd.service tgt.service
Wants=network-online.target

[Service]
ExecStart={python} -m deploy.cli supervise --state {state}
WorkingDirectory={clone}
Restart=always
KillMode=process

[Install]
WantedBy=multi-user.target
"""


class Steps:
    """Prints steps, with the time since the start."""

    def __init__(self):
        self.began = float(os.environ.get("PILEUS_STARTED", time.time()))

    def elapsed(self) -> float:
        return time.time() - self.began

    def say(self, text: str) -> None:
        print(f"[{self.elapsed():6.1f} s] {text}", flush=True)


def check_ports(my_ip: str, metrics_ip: str) -> None:
    """:raises HostError: with each port that is in use, and the process that uses it"""
    try:
        found = ports.conflicts(my_ip, metrics_address=metrics_ip)
    except OSError as error:
        raise host.HostError(f"The daemons cannot listen at {my_ip}, and at {metrics_ip} for metrics: "
                             f"{ports.explain(error)}.") from None
    if found:
        raise host.HostError("\n".join(found) + "\nStop these programs, then run this again.")


def runtime(state: str) -> None:
    """The services of the host that daemons need, also after a reboot."""
    secrets, my_ip = prepare.ensure_secrets(state), conf.load("pileus", {}, state).my_ip
    host.claim(state)
    if my_ip == lab.ADDRESS:
        lab.ensure_bridge()
    broker.ensure_broker(state, secrets["bus_password"], ip=my_ip)
    hypervisor.ensure_libvirt()
    host.ensure_tgtd(my_ip)
    host.rotate_logs(state, DAEMONS)
    host.ensure_external_bridge(GATEWAY, EXTERNAL)
    for name in statedir.load(state).lab_hosts:
        lab.start(state, name)


def start_daemons(state: str) -> None:
    if supervisor.running_pid(state):
        return
    clone = str(pathlib.Path(__file__).resolve().parent.parent)
    if host.systemd():
        unit = pathlib.Path("/etc/systemd/system/pileus.service")
        unit.write_text(UNIT.format(python=sys.executable, state=state, clone=clone))
        host.run("systemctl", "daemon-reload")
        host.run("systemctl", "enable", "--now", "pileus.service")
    else:
        log = open(f"{state}/log/supervisor.log", "ab")
        subprocess.Popen([sys.executable, "-m", "deploy.cli", "supervise", "--state", state], cwd=clone, stdout=log,
                         stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    wait_for(lambda: supervisor.running_pid(state), 60, what="the supervisor")


def guest_image(state: str, chosen: statedir.Choices) -> tuple[str, pathlib.Path, str]:
    """(name, path, format) of the image to upload: the given one, or the test guest or container, built here."""
    given = chosen.image
    if given:
        path = pathlib.Path(given)
        if "://" in given:
            path = pathlib.Path(state) / "downloaded.img"
            host.run("curl", "-fsSL", "-o", str(path), given)
        if not path.exists():
            raise host.HostError(f"There is no image {given}.")
        return path.stem, path, chosen.image_format
    if chosen.virt_type == "lxc":
        from deploy.images import container
        path = pathlib.Path(state) / "container.tar.gz"
        container.build(path)
        return "pileus-container", path, "raw"
    path = pathlib.Path(state) / "guest.qcow2"
    if not path.exists():
        from deploy.images.build import build
        build(path)
    return "pileus-guest", path, chosen.image_format


def first_server(cloud: first.Cloud, state: str, networks: dict, image: str, *, volumes: bool = True) -> dict:
    """``first``: key, security rules, floating IP, and a volume if its host supports ``volumes``. Repeatable."""
    key = pathlib.Path(state) / "first_key"
    if not key.exists():
        host.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "pileus-first", "-f", str(key))
    public = key.with_suffix(".pub").read_text().strip()
    names = [k["keypair"]["name"] for k in cloud.call("compute", "GET", "/os-keypairs")["keypairs"]]
    if "first-key" not in names:
        cloud.call("compute", "POST", "/os-keypairs", {"keypair": {"name": "first-key", "public_key": public,
                                                                   "type": "ssh"}})
    group = cloud.find("network", "security-groups", "default", project_id=cloud.project_id)
    open_already = {(r["protocol"], r["port_range_min"]) for r in group["security_group_rules"]
                    if r["direction"] == "ingress" and not r["remote_group_id"]}
    for protocol, port in (("icmp", None), ("tcp", 22)):
        if (protocol, port) not in open_already:
            cloud.call("network", "POST", "/security-group-rules", {"security_group_rule": {
                "security_group_id": group["id"], "direction": "ingress", "protocol": protocol,
                "port_range_min": port, "port_range_max": port}})
    volume = cloud.find("volume", "volumes", "first-data", "/volumes/detail") or cloud.call(
        "volume", "POST", "/volumes", {"volume": {"name": "first-data", "size": 1}})["volume"]
    server = first.boot(cloud, "first", imageRef=image, flavorRef="42", key_name="first-key",
                        networks=[{"uuid": networks["private"]}])
    address = _floating_ip(cloud, server["id"], networks)
    if volumes:
        _attach(cloud, server["id"], volume["id"])
    return {"id": server["id"], "address": address, "key": str(key)}


def _floating_ip(cloud: first.Cloud, server_id: str, networks: dict) -> str:
    port = cloud.call("network", "GET", f"/ports?device_id={server_id}")["ports"][0]
    known = cloud.call("network", "GET", f"/floatingips?port_id={port['id']}")["floatingips"]
    made = known[0] if known else cloud.call("network", "POST", "/floatingips", {"floatingip": {
        "floating_network_id": networks["public"], "port_id": port["id"]}})["floatingip"]
    return made["floating_ip_address"]


def _attach(cloud: first.Cloud, server_id: str, volume_id: str) -> None:
    def status():
        found = cloud.call("volume", "GET", f"/volumes/{volume_id}")["volume"]["status"]
        return found if found not in ("creating", "attaching", "reserved") else None
    if wait_for(status, 30, what="the volume") == "available":
        cloud.call("compute", "POST", f"/servers/{server_id}/os-volume_attachments",
                   {"volumeAttachment": {"volumeId": volume_id}})
    if wait_for(lambda: status() if status() == "in-use" else None, 60, what="the volume to be attached") != "in-use":
        raise RuntimeError("the volume could not be attached; see the compute agent's log")


def choose(state: str, args) -> statedir.Choices:
    """The previous choices, with the options that are given now.

    :raises HostError: they cannot be changed while the cloud runs
    """
    known = statedir.load(state)
    chosen = dataclasses.replace(known)
    if args.hosts:
        chosen.lab_hosts = sorted({*known.lab_hosts, *(f"node{n}" for n in range(2, args.hosts + 1))})
    chosen.layout = statedir.LAYOUT
    chosen.ip = args.ip or (lab.ADDRESS if args.hosts else known.ip or "127.0.0.1")
    for name in ("database", "image", "image_format", "virt_type"):
        setattr(chosen, name, getattr(args, name) or getattr(known, name))
    chosen.metrics_ip = args.metrics_ip or known.metrics_ip or "127.0.0.1"
    for address in (chosen.ip, chosen.metrics_ip):
        if ipaddress.ip_address(address) in ipaddress.ip_network(EXTERNAL):
            raise host.HostError(f"{address} belongs to the external network, which guests can reach; daemons must "
                                 "not listen there.")
    if reason := ports.why_no_metrics(chosen.metrics_ip, chosen.ip):
        raise host.HostError(f"--metrics-ip: {reason}")
    if supervisor.running_pid(state) and (known.ip, known.database) != (chosen.ip, chosen.database):
        raise host.HostError(f"This cloud runs at {known.ip} with the database {known.database.rpartition('@')[2] or 'SQLite'}; "
                             "that cannot be changed while it runs.")
    if supervisor.running_pid(state) and known.virt_type != chosen.virt_type:
        raise host.HostError(f"This cloud runs with --virt-type {known.virt_type}; that cannot be changed while it runs.")
    if supervisor.running_pid(state) and known.layout == statedir.LAYOUT and known.metrics_ip != chosen.metrics_ip:
        raise host.HostError(f"This cloud serves /metrics at {known.metrics_ip}; that cannot be changed while it runs.")
    return chosen


def stop_daemons(state: str) -> None:
    """Stop the daemons of this host and of its lab."""
    if host.systemd():
        host.run("systemctl", "stop", "pileus.service", check=False)
    supervisor.stop(state)
    for name in lab.names(state):
        lab.stop(state, name)


def _upgrade(state: str) -> None:
    """Stop daemons whose configuration is out of date, and remove other users' access to their files."""
    stop_daemons(state)
    # Other users read base images and the files of dnsmasq; files of the broker and of Python have modes of their
    # own.
    files.restrict_access(state, traversable=("instances", "lab"), skip=(
        "venv", "rabbitmq", "image-cache", "network", "lab/*/image-cache"))


def _configure(state: str, chosen: statedir.Choices, transport: str, say: typing.Callable[[str], None]) -> None:
    my_ip, before = chosen.ip, statedir.load(state)
    found = prepare.write_config(
        state, transport_url=transport, host=socket.gethostname(), my_ip=my_ip, metrics_ip=chosen.metrics_ip,
        database=chosen.database, extra={
            "volume": {"volume": {"iscsi_ip": my_ip}}, "dashboard": {"dashboard": {"http_port": "80"}},
            "compute-agent": {"DEFAULT": {"resume_guests_state_on_host_boot": "true"},
                              "libvirt": {"virt_type": chosen.virt_type}}})
    invalid, unread = settings.problems(state)
    if invalid:
        raise host.HostError("\n".join(invalid))
    for line in unread:
        say(f"WARNING: {line}")
    prepare.sync_databases(state)
    prepare.first_rows(state, found, my_ip, before=(before.ip, before.port_offset))


def up(args) -> int:
    steps, state = Steps(), args.state
    statedir.check_driver(state, statedir.LIBVIRT)
    new = statedir.driver_of(state) is None
    chosen = choose(state, args)
    my_ip = chosen.ip
    host.check_claim(state)
    files.traversable_directory(state, state)  # for QEMU's user, to reach the disks of guests
    if my_ip == lab.ADDRESS:
        lab.ensure_bridge()
    if statedir.load(state).layout < statedir.LAYOUT:
        steps.say("upgrading the cloud")
        _upgrade(state)
    if not supervisor.running_pid(state):
        check_ports(my_ip, chosen.metrics_ip)
    steps.say("starting broker, libvirt, iSCSI target")
    found = prepare.ensure_secrets(state)
    if new:
        statedir.save(state, chosen)  # the next ``up`` uses the same options, although this one may not complete
    host.claim(state)
    # The broker takes some seconds to start; meanwhile, steps that do not need it are done.
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        started = pool.submit(broker.ensure_broker, state, found["bus_password"], ip=my_ip)
        hypervisor.ensure_libvirt()
        host.ensure_tgtd(my_ip)
        host.ensure_external_bridge(GATEWAY, EXTERNAL)
        kvm = hypervisor.state_of(chosen.virt_type)
        steps.say(f"guests will run on {kvm}")
        if not supervisor.running_pid(state):
            steps.say("creating databases and users")
            _configure(state, chosen, broker.transport_url(found["bus_password"], my_ip), steps.say)
        started.result()
    statedir.save(state, chosen)
    openrc = prepare.write_openrc(state, found, my_ip)
    steps.say("starting the daemons")
    start_daemons(state)
    name, image_path, image_format = guest_image(state, chosen)
    cloud = first.Cloud(found["admin_password"], my_ip)
    cloud.wait_ready(180)
    steps.say("creating networks and uploading an image")
    for host_name in chosen.lab_hosts:
        steps.say(f"adding the host {host_name}")
        lab.add(state, host_name)
    networks = first.ensure_networks(cloud, external_cidr=EXTERNAL, pool=POOL, gateway=GATEWAY)
    with open(image_path, "rb") as data:
        image = first.ensure_image(cloud, name, data, image_format, {"os_admin_user": "cirros"})
    steps.say("booting the server 'first'")
    containers = chosen.virt_type == "lxc"
    server = first_server(cloud, state, networks, image, volumes=not containers)
    steps.say(f"'first' is ACTIVE, with a floating IP{'' if containers else ' and a volume'}")
    if slow := first.slow_boot(cloud, server["id"]):
        steps.say(f"WARNING: {slow}")
    print(f"""
Pileus is up after {steps.elapsed():.0f} s. Guests run on {kvm}.

  credentials    . {openrc}
  log in         ssh -i {server['key']} -o StrictHostKeyChecking=no cirros@{server['address']}
                 (it may take some seconds to boot{'' if containers else '; its volume is /dev/vdb'})
  dashboard      http://{my_ip}:{PORTS['dashboard']}/ (and port 80, where that is free), as admin; the password is in openrc
  try next       openstack server list; openstack console log show first
  metrics        http://{chosen.metrics_ip}:{METRICS_PORT}/metrics, for Prometheus; see etc/prometheus and etc/grafana
  manual         man -M {man.install()} pileus
  look after it  {pathlib.Path(sys.executable).parent}/pileus status | audit | trace REQUEST_ID
  take it down   deploy/down""")
    return 0


def _explain(error: Exception) -> str | None:
    if isinstance(error, (host.HostError, statedir.StateError, RuntimeError, TimeoutError)):
        return str(error)
    return ports.explain(error) if isinstance(error, OSError) else manage.explain(error)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(prog="deploy/up", description=__doc__)
    parser.add_argument("--state", default=os.environ.get("PILEUS_STATE", options.STATE), help="state directory of the cloud")
    options.host_options(parser)
    args = parser.parse_args(argv)
    os.umask(files.UMASK)
    try:
        with statedir.locked(args.state):
            return up(args)
    except Exception as error:
        if (text := _explain(error)) is None:
            raise
        print(f"\ndeploy/up stopped: {text}\nCompleted steps are not repeated: correct the problem and run deploy/up again. "
              f"Logs: {args.state}/log", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
