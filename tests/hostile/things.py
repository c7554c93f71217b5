"""What is really there: credentials, and ids of every kind, so that requests get past 404."""

import importlib
import json
import random
import re
import urllib.parse

from common.periodic import wait_for
from tests.conftest import FakeCloud, login_as, new_member
from tests.hostile.generator import PACKAGES

_COLLECTION = re.compile(r"[^{}]*(?:/\{project_id\})?[^{}]*")
# Fields and parameters that mean a thing which is listed under another name.
_MEANS = {"imageRef": "images", "image": "images", "image_id": "images", "kernel_id": "images", "ramdisk_id": "images",
    "flavorRef": "flavors",
          "flavor": "flavors", "volumeId": "volumes", "source_volid": "volumes", "volume_uuid": "volumes",
          "instance_uuid": "servers",
          "server_uuid": "servers", "serverId": "servers", "server_id": "servers", "net_id": "networks", "networkId": "networks",
          "network": "networks", "floating_network_id": "networks", "port": "ports", "key_name": "os-keypairs",
          "trustee_user_id": "users",
          "trustor_user_id": "users", "owner": "projects", "target": "projects", "tenant_id": "projects",
          "default_project_id": "projects",
          "parent_id": "projects", "remote_group_id": "security-groups", "security_group_id": "security-groups",
          "group": "os-server-groups",
          "security_groups": "security-groups", "address": "floatingips", "router": "routers", "region": "regions",
          "credential_id":
          "application_credentials", "namespace": "namespaces", "same_host": "servers", "different_host": "servers"}


class Things:
    """The cloud's resources, read again now and then; a session of the dashboard; tokens of an admin and of a member."""

    def __init__(self, cloud: FakeCloud):
        self.cloud, self.ids, self._fields = cloud, {}, {}
        self.admin = cloud.client
        try:
            self.member = new_member(cloud)
        except RuntimeError:  # of an earlier run over the same state
            self.member = login_as(cloud, "mallory", "pw", "other")
        self.csrf, self.cookie, self._rng = "", "", random.Random(0)
        self._make()
        self.kept = self._protected()
        self.refresh()

    def _make(self) -> None:
        """Some of what nothing makes at the start."""
        call = self.admin.call
        network = call("network", "POST", "/networks", {"network": {"name": "hostile"}})["network"]["id"]
        call("network", "POST", "/subnets", {"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.66.0.0/24"}})
        call("network", "POST", "/ports", {"port": {"network_id": network, "name": "hostile"}})
        call("network", "POST", "/routers", {"router": {"name": "hostile"}})
        group = call("network", "POST", "/security-groups", {"security_group": {"name": "hostile"}})["security_group"]["id"]
        call("network", "POST", "/security-group-rules", {"security_group_rule": {"security_group_id": group,
        "direction": "ingress"}})
        call("network", "POST", "/floatingips", {"floatingip": {
            "floating_network_id": self.admin.find("network", "networks", "public")["id"]}})
        volume = call("volume", "POST", "/volumes", {"volume": {"name": "hostile", "size": 1}})["volume"]["id"]
        wait_for(lambda: call("volume", "GET", f"/volumes/{volume}")["volume"]["status"] == "available", 20, what="a volume")
        call("volume", "POST", "/snapshots", {"snapshot": {"volume_id": volume, "name": "hostile"}})
        call("compute", "POST", "/os-keypairs", {"keypair": {"name": "hostile"}})
        call("compute", "POST", "/os-server-groups", {"server_group": {"name": "hostile", "policies": ["affinity"]}})
        call("image", "POST", "/images", {"name": "hostile", "disk_format": "raw", "container_format": "bare"})
        call("identity", "POST", "/users", {"user": {"name": "hostile", "password": "pw"}})
        call("identity", "POST", "/groups", {"group": {"name": "hostile"}})
        call("identity", "POST", "/roles", {"role": {"name": "hostile"}})
        call("identity", "POST", "/domains", {"domain": {"name": "hostile"}})
        call("identity", "POST", "/regions", {"region": {"id": "hostile"}})

    def _protected(self) -> set[str]:
        """What all requests stand on: the admin, his project and roles, the catalog."""
        call, found = self.admin.call, {"default", "Default", "RegionOne", self.admin.project_id, self.member.project_id}
        for path, plural in (("/users", "users"), ("/projects", "projects"), ("/roles", "roles"), ("/services", "services"),
                             ("/endpoints", "endpoints"), ("/domains", "domains")):
            found |= {x["id"] for x in call("identity", "GET", path)[plural] if x.get("name") != "hostile"}
        return found

    def refresh(self) -> None:
        """Tokens, the dashboard's session, and every list that a route without parameters gives."""
        self.admin.login()
        self.member = login_as(self.cloud, "mallory", "pw", "other")
        self._dashboard()
        for service, package in PACKAGES.items():
            for route in importlib.import_module(f"{package}.router").ROUTES if service != "dashboard" else ():
                if route.method == "GET" and _COLLECTION.fullmatch(route.path):
                    self._harvest(service, route.path.replace("{project_id}", self.admin.project_id))
        self._harvest_below()

    def _harvest_below(self, most: int = 40) -> None:
        """Lists of what belongs to something: metadata, members, tags, credentials; some of them each time."""
        routes = [(s, r) for s,
        package in PACKAGES.items() if s != "dashboard" for r in importlib.import_module(f"{package}.router").ROUTES
                  if r.method == "GET" and "{" in r.path and not r.path.endswith("}") and not _COLLECTION.fullmatch(r.path)]
        for service, route in self._rng.sample(routes, min(most, len(routes))):
            path = self.fill(service, route.path, self._rng, lambda name: None, safe=True)
            if path is not None:
                self._harvest(service, path)

    def fill(self, service: str, template: str, rng: random.Random, other, *, safe: bool) -> str | None:
        """A route's path with real ids; ``other(name)`` gives, already quoted, what is not known. None: it gives none either."""
        made, at = "", 0
        for match in re.finditer(r"\{(\w+)[^}]*\}", template):
            before = [s for s in template[:match.start()].split("/") if s and "{" not in s]
            forced = other(match[1])
            real = self.find(service, match[1], before[-1] if before else "", rng, safe=safe) if forced is None else None
            if forced is None and real is None:
                return None
            made += template[at:match.start()] + (forced if forced is not None else urllib.parse.quote(str(real), safe=""))
            at = match.end()
        return made + template[at:]

    def _get(self, service: str, path: str):
        base = self.admin.url(service).removesuffix(self.admin.PREFIX.get(service, ""))
        version = {"compute": "compute 2.53", "volume": "volume 3.44", "placement": "placement 1.39"}.get(service)
        headers = {"X-Auth-Token": self.admin.token, **({"OpenStack-API-Version": version} if version else {})}
        return self.admin.pool.request("GET", base + path, headers=headers, timeout=20, redirect=False)

    def _harvest(self, service: str, path: str) -> None:
        response = self._get(service, path)
        if response.status != 200 or "json" not in response.headers.get("Content-Type", ""):
            return
        plural = path.rstrip("/").split("/")[-1].removesuffix(".json")
        found = json.loads(response.data)
        for rows in found.values() if isinstance(found, dict) else ():
            for row in rows if isinstance(rows, list) else ():
                row = next(iter(row.values())) if isinstance(row, dict) and len(row) == 1 else row
                if isinstance(row, str):
                    self.ids.setdefault(plural, set()).add(row)
                if isinstance(row, dict):
                    ids = [row[k] for k in ("id", "uuid", "name", "namespace", "floating_ip_address") if isinstance(row.get(k),
                    str)]
                    self.ids.setdefault(plural if plural != "detail" else path.split("/")[-2],
                    set()).update(ids[:1] if "id" in row else ids)
                    self._fields.setdefault(service, set()).update(row)

    def _dashboard(self) -> None:
        base = f"http://127.0.0.1:{8080 + self.cloud.offset}"
        pool = self.admin.pool
        page = pool.request("GET", base + "/auth/login/", redirect=False)
        cookies = dict(h.split(";")[0].split("=", 1) for h in page.headers.getlist("Set-Cookie"))
        form = {"username": "admin", "password": self.admin.password, "csrfmiddlewaretoken": cookies["csrftoken"]}
        done = pool.request("POST", base + "/auth/login/", body=urllib.parse.urlencode(form), redirect=False, headers={
            "Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items()), "Content-Type": "application/x-www-form-urlencoded"})
        cookies.update(h.split(";")[0].split("=", 1) for h in done.headers.getlist("Set-Cookie"))
        self.csrf, self.cookie = cookies["csrftoken"], "; ".join(f"{k}={v}" for k, v in cookies.items())

    def credentials(self, service: str, rng: random.Random) -> list[tuple[str, str]]:
        kind = rng.random()
        if service == "dashboard":
            return [("Cookie", self.cookie)] if kind < 0.95 else []
        return [] if kind < 0.04 else [("X-Auth-Token", self.member.token if kind < 0.15 else self.admin.token)]

    def fields(self, service: str) -> list[str]:
        return sorted(self._fields.get(service, ()))

    def find(self, service: str, name: str, under: str, rng: random.Random, *, safe: bool) -> str | None:
        """An id for a parameter or field, by its own name or by the path's segment before it."""
        if name == "project_id" and under in ("v3", "v2.1", "v2", ""):
            return self.admin.project_id
        plural = _MEANS.get(name) or (under if name in ("id", "name", "target") else "") or f"{name.removesuffix('_id')}s"
        for key in (plural, plural.replace("_", "-"), f"os-{plural}", under):
            known = sorted(i for i in self.ids.get(key, ()) if safe or i not in self.kept)
            if known:
                return rng.choice(known)
        return None
