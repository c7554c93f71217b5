"""A server's ports, through the network service's REST API."""

import logging

from common import errors, holdings
from common.rest import path

LOG = logging.getLogger(__name__)
OWNER = "compute:nova"


class Ports:
    def __init__(self, rest, host: str):
        self.rest, self.host = rest, host

    def build(self, instance: dict, wanted: list[dict], *, again: bool) -> list[dict]:
        """Make (or bind) a port for each network wanted, plugged on this host.

        :param again: an earlier try may have made some; those are found and used
        :raises StepFailed: the network service refuses, or could not plug a port
        """
        known_ports = holdings.ports_of(self.rest, instance["uuid"]) if again else []
        have = [p for p in known_ports if p["project_id"] == instance["project_id"]]
        made = []
        for item in wanted:
            known = next((p for p in have if p["id"] == item.get("port")), None) if item.get("port") else next(
                (p for p in have if p["network_id"] == item["uuid"] and p not in made), None)
            try:
                made.append(known if known and self._is_here(known) else
                            self._make(instance, item, known["id"] if known else item.get("port")))
            except (errors.BadRequest, errors.NotFound, errors.Conflict, errors.Forbidden) as error:
                raise errors.StepFailed(reason=f"The network service refused a port: {error}") from error
        for port in made:
            self._check_plugged(port)
        return made

    def attach(self, instance: dict, item: dict) -> dict:
        """As ``build``, one port for a server that runs.

        :raises BadRequest: another server has the port or the address
        """
        try:
            port = self._make(instance, item, item.get("port"))
        except errors.Conflict as error:
            raise errors.BadRequest(str(error)) from error
        self._check_plugged(port)
        return port

    def _check_plugged(self, port: dict) -> None:
        if port["binding:vif_type"] == "binding_failed":
            raise errors.StepFailed(reason=f"Port {port['id']} could not be plugged on host {self.host}.")

    def _is_here(self, port: dict) -> bool:
        return port["status"] == "ACTIVE" and port["binding:host_id"] == self.host

    def _make(self, instance: dict, item: dict, port_id: str | None) -> dict:
        owner = {"device_id": instance["uuid"], "device_owner": OWNER, "binding:host_id": self.host}
        if port_id:
            return self.rest.request("PUT", "network", path("/v2.0/ports/{id}", port_id), body={"port": owner},
                                     timeout_s=60)["port"]
        port = {**owner, "network_id": item["uuid"], "project_id": instance["project_id"],
                "dns_name": instance["hostname"]}
        if item.get("fixed_ip"):
            port["fixed_ips"] = [{"ip_address": item["fixed_ip"]}]
        groups = [g["id"] for g in instance["security_groups"] if g["id"]]
        if groups:
            port["security_groups"] = groups
        return self.rest.request("POST", "network", path("/v2.0/ports"), body={"port": port}, timeout_s=60)["port"]

    def plug(self, network_info: list[dict]) -> list[dict]:
        """Have this host's network agent build ports that exist: taps, filters, DHCP; returns those that still do.

        :raises ServiceUnavailable: one could not be plugged
        """
        found = []
        for known in network_info:
            try:
                port = self.rest.request("PUT", "network", path("/v2.0/ports/{id}", known["id"]), timeout_s=60,
                                         body={"port": {"binding:host_id": self.host}})["port"]
            except errors.NotFound:
                LOG.warning("port %s is gone; its guest is built without it", known["id"])
                continue
            if port["binding:vif_type"] == "binding_failed":
                raise errors.ServiceUnavailable(part=f"the network of host {self.host}")
            found.append(known)
        return found

    def picture(self, ports: list[dict], wanted: list[dict], *, subnets: bool = False) -> list[dict]:
        """Network info of ports, as the compute database keeps it. ``subnets`` adds what config drives need.

        :param wanted: what each port was built for (as ``build`` was given); shorter where that is not known
        """
        if not ports:
            return []
        networks = {n["id"]: n for n in self.rest.request("GET", "network", path("/v2.0/networks", query={
            "id": sorted({p["network_id"] for p in ports})}))["networks"]}
        detail = {}
        if subnets:
            ids = sorted({ip["subnet_id"] for p in ports for ip in p["fixed_ips"]})
            detail = {s["id"]: {"cidr": s["cidr"], "gateway": s["gateway_ip"], "dhcp": s["enable_dhcp"]}
                      for s in self.rest.request("GET", "network", path("/v2.0/subnets", query={"id": ids}))["subnets"]
                      } if ids else {}
        return [{"id": p["id"], "network_id": p["network_id"], "network_name": networks[p["network_id"]]["name"],
                 "mtu": networks[p["network_id"]]["mtu"], "mac_address": p["mac_address"], "floating_ips": [],
                 "tag": item.get("tag"),
                 "fixed_ips": [{**ip, **detail.get(ip["subnet_id"], {})} for ip in p["fixed_ips"]]}
                for p, item in zip(ports, wanted + [{}] * len(ports))]
