"""The initial resources of a new cloud, created through its APIs: networks, an image, a first server."""

import datetime
import json
import urllib.parse

import urllib3

from common.periodic import wait_for
from common.rest import error_text
from deploy.daemons import PORTS

USUAL_BOOT_S, SLOW_BOOT_S = 2, 10


class Cloud:
    """A small client for the installer: ``call("compute", "GET", "/servers")`` with the admin's token."""

    VERSIONS = {"compute": "2.53", "volume": "3.44"}
    PREFIX = {"compute": "/v2.1", "network": "/v2.0", "image": "/v2", "volume": "/v3", "identity": "/v3", "placement": ""}

    def __init__(self, password: str, host: str = "127.0.0.1", offset: int = 0):
        self.password, self.host, self.offset = password, host, offset
        self.pool = urllib3.PoolManager(retries=False)
        self.token = ""

    def url(self, service: str) -> str:
        return f"http://{self.host}:{PORTS[service] + self.offset}{self.PREFIX[service]}"

    def login(self) -> None:
        domain = {"id": "default"}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": {
            "name": "admin", "domain": domain, "password": self.password}}},
            "scope": {"project": {"name": "admin", "domain": domain}}}}
        response = self.pool.request("POST", self.url("identity") + "/auth/tokens", body=json.dumps(body),
                                     headers={"Content-Type": "application/json"}, timeout=30)
        if response.status != 201:
            raise RuntimeError(f"login: {response.status} {error_text(response.data)}")
        self.token = response.headers["X-Subject-Token"]
        self.project_id = json.loads(response.data)["token"]["project"]["id"]

    def call(self, service: str, method: str, path: str, body=None, *, raw=None, version: str | None = None,
             content_type: str = "application/json"):
        """JSON in, JSON out.

        :param version: another microversion than that of ``VERSIONS``
        :raises RuntimeError: the request failed, with the message of the API
        """
        headers = {"X-Auth-Token": self.token, "Content-Type": content_type}
        if version := version or self.VERSIONS.get(service):
            headers["OpenStack-API-Version"] = f"{service} {version}"
        response = self.pool.request(method, self.url(service) + path, headers=headers, timeout=120,
                                     body=raw if raw is not None else json.dumps(body) if body is not None else None)
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {error_text(response.data)}")
        return json.loads(response.data) if response.data else None

    def wait_ready(self, timeout_s: float = 60) -> None:
        """Wait until every API responds and a compute host has reported.

        :raises TimeoutError: with what was still missing
        """
        missing = ""

        def ready():
            nonlocal missing
            try:
                self.login()
                for service, path in (("image", "/images"), ("network", "/agents"), ("volume", "/os-services"),
                                      ("compute", "/os-hypervisors")):
                    found = self.call(service, "GET", path)
                    if service != "image" and not next(iter(found.values())):
                        missing = f"{service} {path} is still empty"
                        return False
                return True
            except (RuntimeError, urllib3.exceptions.HTTPError) as error:
                missing = str(error)
                return False
        try:
            wait_for(ready, timeout_s, every_s=0.1, what="the APIs and agents to start")
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {missing}") from None

    def find(self, service: str, plural: str, name: str, path: str | None = None, **filters: str):
        query = urllib.parse.urlencode({"name": name, **filters})
        found = self.call(service, "GET", f"{path or '/' + plural}?{query}")[plural.replace("-", "_")]
        return next((x for x in found if x.get("name") == name), None)


def ensure_networks(cloud: Cloud, *, external_cidr: str, pool: tuple[str, str], gateway: str,
                    private_cidr: str = "10.0.0.0/24", dns: list[str] | None = None) -> dict:
    """``public`` (external, flat), ``private`` with DHCP, and ``router1`` between them. Repeatable."""
    def ensure(plural, singular, name, values, path=None):
        return cloud.find("network", plural, name, path) or cloud.call(
            "network", "POST", path or f"/{plural}", {singular: {"name": name, **values}})[singular]
    public = ensure("networks", "network", "public", {"router:external": True, "provider:network_type": "flat",
                                                      "provider:physical_network": "public", "is_default": True})
    outside = ensure("subnets", "subnet", "public-subnet", {
        "network_id": public["id"], "cidr": external_cidr, "ip_version": 4, "enable_dhcp": False,
        "gateway_ip": gateway, "allocation_pools": [{"start": pool[0], "end": pool[1]}]})
    private = ensure("networks", "network", "private", {"shared": True})
    inside = ensure("subnets", "subnet", "private-subnet", {
        "network_id": private["id"], "cidr": private_cidr, "ip_version": 4, "dns_nameservers": dns or []})
    router = ensure("routers", "router", "router1", {"external_gateway_info": {"network_id": public["id"]}})
    ports = cloud.call("network", "GET", f"/ports?device_id={router['id']}&device_owner=network:router_interface")
    if not ports["ports"]:
        cloud.call("network", "PUT", f"/routers/{router['id']}/add_router_interface", {"subnet_id": inside["id"]})
    return {"public": public["id"], "private": private["id"], "public_subnet": outside["id"], "router": router["id"]}


def ensure_image(cloud: Cloud, name: str, data, disk_format: str, properties: dict | None = None) -> str:
    """A public image with this data (bytes, or an open file). Repeatable."""
    known = cloud.find("image", "images", name)
    if known and known["status"] == "active":
        return known["id"]
    if known:
        cloud.call("image", "DELETE", f"/images/{known['id']}")
    made = cloud.call("image", "POST", "/images", {"name": name, "disk_format": disk_format, "visibility": "public",
                                                   "container_format": "bare", **(properties or {})})
    cloud.call("image", "PUT", f"/images/{made['id']}/file", raw=data, content_type="application/octet-stream")
    return made["id"]


def boot(cloud: Cloud, name: str, timeout_s: float = 120, **values) -> dict:
    """A server with this name, ACTIVE. An existing one is used; one in ERROR is deleted and created again."""
    known = cloud.find("compute", "servers", name, "/servers/detail")
    if known and known["status"] == "ERROR":
        cloud.call("compute", "DELETE", f"/servers/{known['id']}")
        wait_for(lambda: not cloud.find("compute", "servers", name), 60, what=f"the broken server {name} to go")
        known = None
    server_id = known["id"] if known else cloud.call("compute", "POST", "/servers", {
        "server": {"name": name, **values}})["server"]["id"]

    def settled():
        server = cloud.call("compute", "GET", f"/servers/{server_id}")["server"]
        return server if server["status"] != "BUILD" else None
    server = wait_for(settled, timeout_s, every_s=0.05, what=f"server {name} to be built")
    if server["status"] == "ERROR":
        raise RuntimeError(f"server {name}: {server.get('fault', {}).get('message', 'no reason given')}")
    return server


def slow_boot(cloud: Cloud, server_id: str) -> str:
    """Which step of a server's creation took long: a sentence, or "" if the duration was normal."""
    actions = cloud.call("compute", "GET", f"/servers/{server_id}/os-instance-actions")["instanceActions"]
    made = next((a for a in actions if a["action"] == "create"), None)
    if made is None:
        return ""
    events = cloud.call("compute", "GET", f"/servers/{server_id}/os-instance-actions/{made['request_id']}")[
        "instanceAction"]["events"]

    def seconds(event) -> float:
        if not event["finish_time"]:
            return 0.0
        begun, ended = (datetime.datetime.fromisoformat(event[k]) for k in ("start_time", "finish_time"))
        return (ended - begun).total_seconds()
    total = sum(map(seconds, events))
    if total <= SLOW_BOOT_S:
        return ""
    worst = max(events, key=seconds)
    return (f"Its boot took {total:.0f} s, where {USUAL_BOOT_S} are usual; {seconds(worst):.0f} s of it went into the step "
            f"{worst['event']}. The compute agent's log and `pileus trace {made['request_id']}` say more.")


def fake_cloud(found: dict, offset: int) -> None:
    """The initial resources of a fake cloud: networks, an image, and the server ``first``."""
    cloud = Cloud(found["admin_password"], offset=offset)
    cloud.wait_ready(30)
    networks = ensure_networks(cloud, external_cidr="172.24.4.0/24", pool=("172.24.4.10", "172.24.4.250"),
                               gateway="172.24.4.1")
    image = ensure_image(cloud, "cirros", b"\0" * 4096, "raw")
    boot(cloud, "first", imageRef=image, flavorRef="42", networks=[{"uuid": networks["private"]}])
